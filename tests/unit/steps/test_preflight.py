"""The preflight: all machines are judged before any is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.errors import OperationError
from clients.talos.handshake import State
from clients.talos.hardware import BlockDevice, Hardware, NetworkCard
from clients.talos.machine_identity import MachineIdentity
from steps.machine_record import MachineRecord, WantedMachine, parse_machines, parse_wanted
from steps.preflight import preflight, twins, unfit
from tests.unit.steps.steps_job import UNAVAILABLE, Bench, failed, ok, resource

MAINTENANCE, OURS, FOREIGN, SILENT = State.MAINTENANCE, State.OURS, State.FOREIGN, State.SILENT
ADDRESS = {"cp1": "10.0.50.11", "w1": "10.0.50.21"}
MACS = {"cp1": "52:54:00:00:00:01", "w1": "52:54:00:00:00:02"}
OTHER_MAC = "52:54:00:00:00:99"
CHECK = (
    "\ncheck: the nodes in the stack's configuration, and which machine answers at which address; "
    "no machine was touched"
)
REINSTALL = "to install it again, name the node under talos.reinstall in the stack's configuration"


def wanted(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    plain = {"name": name, "address": ADDRESS[name], "maintenance_address": ADDRESS[name]}
    return {**plain, "card": "eno1", "mac": "", "disk": "/dev/sda", "selector": {}, **changes}


def record(name: str, *, configured: bool, mac: str = "") -> dict[str, Any]:
    return {"configured": configured, "uuid": "", "serial": f"s-{name}", "macs": [mac or MACS[name]]}


def named(name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"metadata": {"id": name}, "node": "", "spec": spec})


def says(made: Bench, name: str, *, mac: str = "", link: str = "eno1", how: str = " insecure") -> None:
    """Let a machine say what it is made of."""
    node = ADDRESS[name]
    made.talos.on(f"get systeminformation{how}", resource({"serialnumber": f"s-{name}"}), node=node)
    card = {"type": "ether", "kind": "", "permanentAddr": mac or MACS[name]}
    made.talos.on(f"get links{how}", ok(named(link, card)), node=node)
    made.talos.on(f"get disks{how}", resource({"dev_path": "/dev/sda", "transport": "sata"}), node=node)


def bench(*machines: dict[str, Any], **changes: str) -> Bench:
    lines = machines or (wanted("cp1"), wanted("w1"))
    made = Bench(
        {
            "TALOS_VERSION": "v1.13.0",
            "MACHINES": "\n".join(json.dumps(line) for line in lines),
            "REACHABLE_TIMEOUT": "60",
            **changes,
        }
    )
    made.talos.on("version", ok("Client v1.13.0"))
    for name, address in ADDRESS.items():
        says(made, name)
        says(made, name, how="")
        made.looks.at(address, MAINTENANCE)
    return made


def refused(made: Bench) -> str:
    with pytest.raises(OperationError) as caught:
        preflight(made.job)
    assert made.talos.count("apply-config insecure") == 0
    text = str(caught.value)
    assert text.endswith(CHECK)
    return text.removesuffix(CHECK)


def test_machines_that_fit_are_recorded() -> None:
    assert json.loads(preflight(bench().job)) == {
        name: record(name, configured=False) for name in ("cp1", "w1")
    }


def test_a_node_of_ours_is_asked_with_our_credentials() -> None:
    made = bench()
    made.looks.at(ADDRESS["cp1"], OURS)
    assert json.loads(preflight(made.job))["cp1"] == record("cp1", configured=True)
    assert made.talos.count("get disks", ADDRESS["cp1"]) == 0
    assert made.talos.count("get systeminformation insecure", ADDRESS["cp1"]) == 0


def test_the_wrong_talosctl_is_found_before_any_machine_is_asked() -> None:
    made = bench()
    made.talos.on("version", ok("Client v1.12.4"))
    with pytest.raises(
        OperationError, match=r"talosctl on PATH is of Talos 1\.12, but the cluster runs v1\.13\.0"
    ):
        preflight(made.job)
    assert made.looks.looked == []


def test_every_machine_that_does_not_fit_is_named() -> None:
    made = bench(wanted("cp1", disk="/dev/nvme0n1"), wanted("w1", mac=OTHER_MAC))
    says(made, "cp1", link="enp1s0")
    assert refused(made) == (
        "cp1 has enp1s0 (mac 52:54:00:00:00:01) and /dev/sda, no eno1, no /dev/nvme0n1 that can be written; "
        "w1 has eno1 (mac 52:54:00:00:00:02) and /dev/sda, "
        "no network card with the permanent address 52:54:00:00:00:99"
    )


def test_a_machine_that_does_not_fit_is_found_while_another_is_silent() -> None:
    made = bench(wanted("cp1", card="eno2"), wanted("w1"))
    made.looks.at(ADDRESS["w1"], SILENT)
    assert refused(made) == "cp1 has eno1 (mac 52:54:00:00:00:01) and /dev/sda, no eno2"
    assert made.clock.pauses == []


def test_a_new_machine_is_waited_for() -> None:
    made = bench()
    made.looks.at(ADDRESS["w1"], SILENT, MAINTENANCE)
    card = {"type": "ether", "kind": "", "permanentAddr": MACS["cp1"]}
    links = failed(UNAVAILABLE), ok(named("eno1", card))
    made.talos.on("get links insecure", *links, node=ADDRESS["cp1"])
    assert set(json.loads(preflight(made.job))) == {"cp1", "w1"}
    assert "cp1: error executing: Unavailable" in made.text
    assert "w1: 10.0.50.21 does not answer (connection refused)" in made.text


def test_a_new_machine_that_never_answers() -> None:
    made = bench()
    made.looks.at(ADDRESS["w1"], SILENT)
    with pytest.raises(OperationError) as caught:
        preflight(made.job)
    assert str(caught.value) == (
        "gave up waiting for every machine to answer after 60 s; last answer: "
        "w1: 10.0.50.21 does not answer (connection refused)\n"
        "check: power, console and cabling of the machines that do not answer, and that their addresses are "
        "right; port 50000"
    )
    assert made.talos.count("get disks insecure", ADDRESS["cp1"]) == 1, (
        "whoever is recorded is not asked again"
    )


def before(*records: tuple[str, dict[str, Any]]) -> str:
    return json.dumps(dict(records))


def test_a_known_node_that_is_down_holds_nobody_up() -> None:
    known = record("w1", configured=True)
    made = bench(PULUMI_COMMAND_STDOUT=before(("w1", known)))
    made.looks.at(ADDRESS["w1"], SILENT)
    assert json.loads(preflight(made.job))["w1"] == known
    assert made.clock.pauses == []
    assert "w1 is known and not waited for: 10.0.50.21 does not answer (connection refused)" in made.said


def test_a_node_that_was_configured_before_is_not_installed_again() -> None:
    made = bench(PULUMI_COMMAND_STDOUT=before(("cp1", record("cp1", configured=True))))
    assert refused(made) == (
        "cp1 was configured before, but the machine at 10.0.50.11 is in maintenance mode: it is another one, "
        f"or it was wiped (serial number s-cp1, MAC 52:54:00:00:00:01; {REINSTALL})"
    )


def test_a_node_may_be_installed_again() -> None:
    made = bench(PULUMI_COMMAND_STDOUT=before(("cp1", record("cp1", configured=True))), REINSTALL="cp1")
    assert json.loads(preflight(made.job))["cp1"] == record("cp1", configured=False)


def test_a_machine_that_was_only_seen_is_no_node_yet() -> None:
    made = bench(PULUMI_COMMAND_STDOUT=before(("cp1", record("cp1", configured=False, mac=OTHER_MAC))))
    assert json.loads(preflight(made.job))["cp1"] == record("cp1", configured=False)


def test_a_machine_that_is_another_node_of_the_stack() -> None:
    """It was wiped and got the address of the new node: the cluster still counts on it as cp1."""
    made = bench(PULUMI_COMMAND_STDOUT=before(("cp1", record("cp1", configured=True, mac=MACS["w1"]))))
    made.looks.at(ADDRESS["cp1"], SILENT)
    assert refused(made) == "w1: the machine at 10.0.50.21 is cp1 (serial number s-w1, MAC 52:54:00:00:00:02)"


def test_a_machine_of_a_node_that_left_the_stack_is_free() -> None:
    left = record("cp1", configured=True, mac=MACS["w1"])
    made = bench(wanted("w1"), PULUMI_COMMAND_STDOUT=before(("cp1", left)))
    assert set(json.loads(preflight(made.job))) == {"w1"}


def test_a_machine_that_is_no_known_node_is_free() -> None:
    made = bench(PULUMI_COMMAND_STDOUT=before(("cp1", record("cp1", configured=True))))
    made.looks.at(ADDRESS["cp1"], OURS)
    assert set(json.loads(preflight(made.job))) == {"cp1", "w1"}


def test_one_machine_under_two_addresses() -> None:
    made = bench()
    says(made, "w1", mac=MACS["cp1"])
    assert refused(made) == "cp1 and w1 are one machine (serial number s-cp1, MAC 52:54:00:00:00:01)"


def test_a_node_of_another_cluster() -> None:
    made = bench()
    made.looks.at(ADDRESS["w1"], FOREIGN)
    assert refused(made) == "w1: 10.0.50.21 is a node of another cluster: it is not touched"


SDA = BlockDevice(("/dev/sda", "/dev/disk/by-id/x"), transport="sata")
CARD = NetworkCard(("eno1", "enp1s0"), MACS["cp1"])
MACHINE = Hardware(MachineIdentity(), (CARD,), (SDA,))


@pytest.mark.parametrize(
    ("changes", "hardware", "reason"),
    [
        ({}, MACHINE, ""),
        ({"card": "enp1s0", "disk": "/dev/disk/by-id/x"}, MACHINE, ""),
        ({"card": "", "mac": MACS["cp1"]}, MACHINE, ""),
        ({"disk": "", "selector": {"type": "ssd"}}, MACHINE, ""),
        (
            {"disk": "", "selector": {"type": "hdd"}},
            MACHINE,
            'cp1 has eno1 (mac 52:54:00:00:00:01) and /dev/sda, no disk that fits {"type": "hdd"}',
        ),
        (
            {"disk": "", "selector": {"size": "huge"}},
            MACHINE,
            "Talos cannot read the diskSelector of cp1: size must be like '>= 500GB', not 'huge'",
        ),
        (
            {},
            Hardware(MachineIdentity(), (CARD,), (BlockDevice(("/dev/sda",), is_writable=False),)),
            "cp1 has eno1 (mac 52:54:00:00:00:01) and /dev/sda, no /dev/sda that can be written",
        ),
        ({}, Hardware(MachineIdentity(), (CARD,), is_container=True), ""),
    ],
)
def test_what_fits(changes: dict[str, Any], hardware: Hardware, reason: str) -> None:
    assert unfit(WantedMachine(**wanted("cp1", **changes)), hardware) == reason


def test_containers_are_no_twins() -> None:
    silent = MachineRecord(MachineIdentity(), is_configured=False)
    assert twins({"cp1": silent, "w1": silent}) == []


@pytest.mark.parametrize("text", ["[]", '{"cp1": 1}', '{"cp1": {}}', "?"])
def test_another_last_result(text: str) -> None:
    with pytest.raises(OperationError, match="the last result of the preflight holds no records of machines"):
        parse_machines(text)


@pytest.mark.parametrize("text", ["?", "[]", "{}", '"cp1"'])
def test_machines_are_read_strictly(text: str) -> None:
    with pytest.raises(OperationError, match="MACHINES must hold a JSON object in each line"):
        parse_wanted(text)
