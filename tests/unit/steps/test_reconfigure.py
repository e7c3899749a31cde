"""Changing a node of ours: live, staged, or with a reboot under lock and with quorum."""

from __future__ import annotations

import fcntl
import json
from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from clients.talos.handshake import State
from clients.talos.talosconfig import parse_talosconfig
from steps.environment import Peer
from steps.reconfigure import alone, change
from tests.unit.clients.talos.test_answers import IMMEDIATE
from tests.unit.steps.steps_job import CA, UNAVAILABLE, Bench, Call, failed, members, ok, resource, stage
from tests.unit.steps.test_apply import ENVIRONMENT, OWN

if TYPE_CHECKING:
    from pathlib import Path

    from clients.talos.process import Result
    from steps.job import Job

CP1, CP2, CP3, W1 = OWN, "10.0.50.12", "10.0.50.13", "10.0.50.21"
DIRECT = ok(stderr="Applied configuration without a reboot\n")
REBOOT = ok(stderr=f"Applied configuration with a reboot: {IMMEDIATE}")
MEMBER = resource({"memberID": "aa"})
NONE = ok("")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def role(name: str) -> Result:
    return ok(json.dumps({"metadata": {"id": "machine-type"}, "spec": name}))


def apply(job: Job) -> str:
    """Change the node of the environment."""
    peer = Peer(job.environment["NODE"], job.environment["ADDRESS"])
    change(job, peer, parse_talosconfig(job.secret("talosconfig")), job.environment["APPLY_MODE"])
    return f"{peer.name} configured"


def bench(mode: str, **changes: str) -> Bench:
    made = Bench({**ENVIRONMENT, "APPLY_MODE": mode, **changes})
    made.looks.at(made.environment["ADDRESS"], State.OURS)
    made.talos.on("get machinestatus", stage("running", "first boot"))
    made.talos.on("get machinetype", role("controlplane"))
    made.talos.on("get machinetype", role("worker"), node=W1)
    made.talos.on("get etcdmember", MEMBER)
    made.talos.on("etcd members", members("aa", "bb", "cc"))
    return made


def modes(made: Bench) -> list[str]:
    return [flag for call in made.talos.calls for flag in call.flags if flag.startswith("--mode=")]


@pytest.mark.parametrize("mode", ["no-reboot", "auto"])
def test_a_live_change_needs_neither_lock_nor_etcd(mode: str, temporary: Path) -> None:
    made = bench(mode)
    made.talos.on("apply-config", DIRECT)
    assert apply(made.job) == "cp1 configured"
    verbs = [call.verb for call in made.talos.calls if call.verb != "get machinetype"]
    assert verbs == ["apply-config", "get machinestatus"]
    assert modes(made) == ["--mode=no-reboot"]
    assert list(temporary.iterdir()) == []


def test_a_change_that_needs_a_reboot_is_named_without_values() -> None:
    made = bench("no-reboot")
    made.talos.on("apply-config", failed(IMMEDIATE))
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        "cp1: this change needs a reboot: token, features, rbac\n"
        "check: talos.applyMode in the stack's configuration: 'auto' reboots one node at a time, "
        "'staged' keeps the change for the next reboot"
    )
    assert "0123456789abcdef" not in str(caught.value) + made.text


def test_a_staged_change_waits() -> None:
    made = bench("staged")
    made.talos.on("apply-config", ok(stderr="Staged configuration to be applied after the next reboot\n"))
    assert apply(made.job) == "cp1 configured"
    assert modes(made) == ["--mode=staged"]
    assert "cp1: the change waits for the node's next reboot" in made.said


@pytest.mark.parametrize("mode", ["auto", "staged"])
def test_a_node_keeps_its_role(mode: str) -> None:
    made = bench(mode)
    made.talos.on("get machinetype", failed(UNAVAILABLE), role("worker"))
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        "the machine at 10.0.50.11 is a worker and cannot become a controlplane in place\n"
        "check: that 10.0.50.11 is the address of cp1; to change a node's role, reset it first"
    )
    assert modes(made) == []


def test_a_refused_change() -> None:
    made = bench("no-reboot")
    made.talos.on("apply-config", failed("rpc error: code = InvalidArgument desc = no such disk"))
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        "cp1 refuses its configuration: InvalidArgument: no such disk\n"
        "check: `talosctl -n 10.0.50.11 dmesg` or the console of cp1"
    )


def test_a_lost_connection_is_tried_again() -> None:
    made = bench("no-reboot")
    made.talos.on("apply-config", failed(UNAVAILABLE), DIRECT)
    assert apply(made.job) == "cp1 configured"
    assert "waiting for cp1 to take its configuration" in made.text


def test_unknown_mode() -> None:
    with pytest.raises(OperationError, match="APPLY_MODE must be no-reboot, staged or auto, not 'try'"):
        apply(bench("try").job)


def reboots(made: Bench) -> None:
    made.talos.on("apply-config", failed(IMMEDIATE), REBOOT)
    made.talos.on(
        "get machinestatus",
        stage("running", "first boot"),
        stage("running", "first boot"),
        failed(UNAVAILABLE),
        stage("booting", "second boot"),
    )


def test_a_reboot_of_a_control_plane_is_guarded_by_etcd_before_and_after(temporary: Path) -> None:
    made = bench("auto")
    reboots(made)
    made.talos.on("get etcdmember", MEMBER, NONE, MEMBER, node=CP1)
    made.talos.on("get services", resource({"running": True}))
    assert apply(made.job) == "cp1 configured"
    assert modes(made) == ["--mode=no-reboot", "--mode=auto"]
    assert made.said[0] == "cp1: this change needs a reboot: token, features, rbac"
    assert "cp1 reboots" in made.said
    assert "cp1 has not gone down yet" in made.text
    assert "waiting for etcd of cp1 to be healthy again" in made.text
    (lock,) = temporary.iterdir()
    assert (lock.stat().st_size, lock.stat().st_mode & 0o777) == (0, 0o600)


def test_a_worker_is_not_asked_about_etcd() -> None:
    made = bench("auto", NODE="w1", ADDRESS=W1)
    reboots(made)
    assert apply(made.job) == "w1 configured"
    assert made.talos.count("get etcdmember") == 0


def test_before_bootstrap_there_is_nothing_to_protect() -> None:
    made = bench("auto")
    reboots(made)
    made.talos.on("get etcdmember", NONE)
    made.talos.on("get services", resource({"running": False}))
    made.talos.on("get services cri", resource({"running": True}))
    made.talos.on("list /var/lib/etcd", failed("lstat /var/lib/etcd: no such file or directory"))
    assert apply(made.job) == "cp1 configured"
    assert made.talos.count("etcd members") == 0


def test_no_reboot_while_etcd_would_lose_its_quorum() -> None:
    made = bench("auto")
    reboots(made)
    made.talos.on("get etcdmember", failed(UNAVAILABLE), MEMBER, node=CP2)
    assert apply(made.job) == "cp1 configured"
    assert "1 of 2 other members are healthy: 10.0.50.12 did not say whether it has etcd data" in made.text


def test_a_reboot_that_would_lose_quorum_for_ever_is_refused() -> None:
    made = bench("auto")
    reboots(made)
    made.talos.on("get etcdmember", failed(UNAVAILABLE), node=CP2)
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert "gave up waiting for etcd to be able to do without cp1" in str(caught.value)
    assert "check: `talosctl etcd members`" in str(caught.value)
    assert modes(made) == ["--mode=no-reboot"]


def test_without_a_list_of_members_all_control_planes_count() -> None:
    made = bench("auto")
    reboots(made)
    made.talos.on("etcd members", failed(UNAVAILABLE))
    assert apply(made.job) == "cp1 configured"


def test_a_single_unhealthy_control_plane_may_reboot() -> None:
    made = bench("auto")
    reboots(made)
    text = made.secrets["talosconfig"]
    made.secrets["talosconfig"] = text.replace(f"            - {CP2}\n", "").replace(
        f"            - {CP3}\n", ""
    )
    made.talos.on("get etcdmember", NONE, MEMBER)
    made.talos.on("get services", resource({"running": True}))
    assert apply(made.job) == "cp1 configured"


def test_auto_without_a_reboot_after_all() -> None:
    made = bench("auto")
    made.talos.on("apply-config", failed(IMMEDIATE), DIRECT)
    assert apply(made.job) == "cp1 configured"
    assert "cp1 reboots" not in made.said


def test_one_node_of_a_cluster_at_a_time(temporary: Path) -> None:
    made = bench("auto")
    with alone(made.job, CA):
        (path,) = temporary.iterdir()
        with path.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(OperationError) as caught, alone(made.job, CA):
            raise AssertionError
    assert "gave up waiting for another step that takes a node of this cluster down" in str(caught.value)
    assert f"runs on this machine (it holds {path})" in str(caught.value)


def test_the_lock_is_held_during_the_whole_reboot(temporary: Path) -> None:
    made = bench("auto")
    reboots(made)

    def held(call: Call) -> None:
        if "--mode=auto" in call.flags:
            (path,) = temporary.iterdir()
            with path.open() as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    made.talos.before = held
    assert apply(made.job) == "cp1 configured"


def test_a_link_in_place_of_the_lock_is_not_followed(temporary: Path) -> None:
    made = bench("auto")
    with alone(made.job, CA):
        (path,) = temporary.iterdir()
    path.unlink()
    path.symlink_to(temporary / "elsewhere")
    with pytest.raises(OperationError, match=r"cannot open the lock .*symbolic links"), alone(made.job, CA):
        raise AssertionError
