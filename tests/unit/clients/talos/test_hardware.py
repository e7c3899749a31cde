"""What a machine says it is made of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clients.talos import talosctl
from clients.talos.hardware import (
    BlockDevice,
    Hardware,
    NetworkCard,
    NoAnswerError,
    read_hardware,
    read_identity,
)
from clients.talos.machine_identity import MachineIdentity
from clients.talos.process import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.talos.talosctl import Invocation

ADDRESS = "10.0.50.111"


def stream(*resources: tuple[str, object]) -> str:
    """Return what `talosctl get -o json` prints."""
    return "".join(
        json.dumps({"metadata": {"id": name}, "node": "", "spec": spec}) for name, spec in resources
    )


def link(**changes: object) -> dict[str, object]:
    return {"type": "ether", "kind": "", "permanentAddr": "52:54:00:00:00:01", **changes}


ANSWERS = {
    "systeminformation": stream(
        ("systeminformation", {"uuid": "4C4C4544-0046-3010-8052-B4C04F4D4E32", "serialnumber": "ABC123 "})
    ),
    "links": stream(
        ("enp1s0", link(permanentAddr="52:54:00:00:00:0A", altNames=["enx5254000000 0a"])),
        ("enp2s0", link(permanentAddr="", hardwareAddr="52:54:00:00:00:0b")),
        ("lo", link(type="loopback")),
        ("bond0", link(kind="bond")),
        ("unreadable", None),
    ),
    "disks": stream(
        ("sr0", {"dev_path": "/dev/sr0", "cdrom": True, "size": 1}),
        ("sda", {"dev_path": "/dev/sda", "readonly": True}),
        (
            "nvme0n1",
            {
                "dev_path": "/dev/nvme0n1",
                "size": 500_000_000_000,
                "model": "EVO",
                "serial": "S1",
                "modalias": "m",
                "uuid": "u",
                "wwid": "w",
                "bus_path": "/pci",
                "transport": "nvme",
                "rotational": True,
                "symlinks": ["/dev/disk/by-id/nvme-EVO"],
            },
        ),
    ),
    "platformmetadata": stream(("platformmetadata", {"platform": "metal"})),
}


class AnsweringMachine:
    """Answers questions about itself."""

    def __init__(self, **answers: str) -> None:
        self.answers: Mapping[str, str] = {**ANSWERS, **answers}
        self.asked: list[str] = []

    @staticmethod
    def ask(resource: str) -> Invocation:
        return talosctl.get_in_maintenance(ADDRESS, resource)

    def run(self, invocation: Invocation) -> Result:
        resource = str(invocation.argv[-1])
        self.asked.append(resource)
        answer = self.answers[resource]
        return Result(1, "", answer) if answer.startswith("rpc error") else Result(0, answer, "")


IDENTITY = MachineIdentity("4c4c4544-0046-3010-8052-b4c04f4d4e32", "ABC123", ("52:54:00:00:00:0a",))


def test_identity() -> None:
    machine = AnsweringMachine()
    assert read_identity(machine.ask, machine.run) == IDENTITY
    assert machine.asked == ["systeminformation", "links"]


def test_a_container_has_none() -> None:
    machine = AnsweringMachine(systeminformation="", links=stream(("eth0", link(kind="veth"))))
    assert read_identity(machine.ask, machine.run) == MachineIdentity()


def test_hardware() -> None:
    machine = AnsweringMachine()
    assert read_hardware(machine.ask, machine.run) == Hardware(
        IDENTITY,
        (NetworkCard(("enp1s0", "enx5254000000 0a"), "52:54:00:00:00:0a"), NetworkCard(("enp2s0",))),
        (
            BlockDevice(("/dev/sr0",), 1, is_writable=False),
            BlockDevice(("/dev/sda",), is_writable=False),
            BlockDevice(
                ("/dev/nvme0n1", "/dev/disk/by-id/nvme-EVO"),
                500_000_000_000,
                "EVO",
                "S1",
                "m",
                "u",
                "w",
                "/pci",
                "nvme",
                is_rotational=True,
            ),
        ),
    )
    assert sorted(machine.asked) == ["disks", "links", "systeminformation"]


@pytest.mark.parametrize(("platform", "is_container"), [("metal", False), ("container", True)])
def test_a_machine_without_disks_may_be_a_container(platform: str, is_container: bool) -> None:  # noqa: FBT001
    machine = AnsweringMachine(
        disks="",
        links=stream(("eth0", link(kind="veth"))),
        platformmetadata=stream(("platformmetadata", {"platform": platform})),
    )
    found = read_hardware(machine.ask, machine.run)
    assert found.is_container is is_container
    assert [str(card) for card in found.cards] == (["eth0 (mac 52:54:00:00:00:01)"] if is_container else [])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("rpc error: code = Unavailable desc = gone", "Unavailable: gone"),
        ("[]", "talosctl printed links in a form that is not known here"),
    ],
)
def test_no_answer(answer: str, message: str) -> None:
    machine = AnsweringMachine(links=answer)
    with pytest.raises(NoAnswerError) as caught:
        read_identity(machine.ask, machine.run)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Hardware(IDENTITY), "neither network cards nor disks"),
        (Hardware(IDENTITY, (NetworkCard(("eth0",)),)), "eth0"),
        (
            Hardware(
                IDENTITY,
                (NetworkCard(("enp1s0",), "52:54:00:00:00:0a"),),
                (BlockDevice(("/dev/sda",)), BlockDevice(("/dev/sdb",), 1_000_000_000_000, "X")),
            ),
            "enp1s0 (mac 52:54:00:00:00:0a) and /dev/sda, /dev/sdb (1000 GB, model X)",
        ),
    ],
)
def test_text(found: Any, text: str) -> None:  # noqa: ANN401
    assert str(found) == text
