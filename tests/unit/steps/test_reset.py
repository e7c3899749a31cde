"""Wiping a node on purpose: only ours, only with quorum, and the last one too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from clients.talos.handshake import State
from clients.talos.talosconfig import parse_talosconfig
from steps.environment import Peer
from steps.reset import Plan, plan, reset_node
from tests.unit.steps.steps_job import FOREIGN, UNAVAILABLE, Bench, failed, members, ok, resource

if TYPE_CHECKING:
    from steps.job import Job

CP1, CP2, CP3, W1 = "10.0.50.11", "10.0.50.12", "10.0.50.13", "10.0.50.21"
OURS, SILENT, MAINTENANCE = State.OURS, State.SILENT, State.MAINTENANCE


def reset(job: Job) -> str:
    peer = Peer(job.environment["NODE"], job.environment["ADDRESS"])
    return reset_node(job, peer, parse_talosconfig(job.secret("talosconfig")))


def bench(name: str = "cp1", address: str = CP1) -> Bench:
    """Return a healthy cluster of three control planes, whose node leaves when it is told to."""
    made = Bench({"CLUSTER_NAME": "lab", "NODE": name, "ADDRESS": address})
    made.looks.at(address, OURS, OURS, OURS, SILENT)
    made.talos.on("get etcdmember", resource({"memberID": "aa"}))
    made.talos.on("get services", resource({"running": False}))
    made.talos.on("list /var/lib/etcd", ok(".\n"))
    made.talos.on("etcd members", members("aa", "bb", "cc"))
    made.talos.on("reset", ok())
    return made


def graceful(made: Bench) -> list[str]:
    return [flag for call in made.talos.calls for flag in call.flags if flag.startswith("--graceful")]


@pytest.mark.parametrize(
    ("is_member", "count", "healthy_others", "is_graceful", "refused"),
    [
        (False, 0, 3, True, False),
        (False, 0, 0, False, False),
        (True, 1, 0, False, False),
        (True, 2, 1, True, False),
        (True, 2, 0, False, True),
        (True, 3, 2, True, False),
        (True, 3, 1, False, True),
        (True, 4, 2, True, False),
        (True, 5, 3, True, False),
        (True, 5, 2, False, True),
    ],
)
def test_plan(is_member: bool, count: int, healthy_others: int, is_graceful: bool, refused: bool) -> None:  # noqa: FBT001
    found = plan(is_member=is_member, members=count, healthy_others=healthy_others)
    assert (found.graceful, bool(found.refusal)) == (is_graceful, refused)


def test_refusal_names_the_numbers() -> None:
    assert plan(is_member=True, members=3, healthy_others=1) == Plan(
        graceful=False,
        refusal="etcd has 3 members, of which only 1 besides this one are healthy: "
        "resetting it would lose etcd's quorum",
    )


def test_a_control_plane_leaves_etcd() -> None:
    made = bench()
    assert reset(made.job) == "cp1 reset"
    assert graceful(made) == ["--graceful=true"]


def test_the_last_control_plane_cannot_leave() -> None:
    made = bench()
    made.talos.on("get etcdmember", failed(UNAVAILABLE), node=CP2)
    made.talos.on("get etcdmember", failed(FOREIGN), node=CP3)
    made.talos.on("etcd members", members("aa"))
    assert reset(made.job) == "cp1 reset"
    assert graceful(made) == ["--graceful=false"]


def test_a_worker_drains_while_there_is_a_control_plane() -> None:
    made = bench("w1", W1)
    assert reset(made.job) == "w1 reset"
    assert graceful(made) == ["--graceful=true"]
    assert made.talos.count("get etcdmember", W1) == 0


def test_a_worker_of_a_dead_cluster() -> None:
    made = bench("w1", W1)
    made.talos.on("get etcdmember", failed(UNAVAILABLE))
    assert reset(made.job) == "w1 reset"
    assert graceful(made) == ["--graceful=false"]


def test_a_control_plane_that_never_joined() -> None:
    made = bench()
    made.talos.on("get etcdmember", ok(""), node=CP1)
    assert reset(made.job) == "cp1 reset"
    assert graceful(made) == ["--graceful=true"]


def test_quorum_is_waited_for() -> None:
    made = bench()
    made.talos.on("get etcdmember", failed(UNAVAILABLE), resource({"memberID": "bb"}), node=CP2)
    assert reset(made.job) == "cp1 reset"
    assert "etcd has 3 members, of which only 1 besides this one are healthy" in made.text


def test_without_quorum_nothing_is_wiped() -> None:
    made = bench()
    made.talos.on("get etcdmember", failed(UNAVAILABLE), node=CP2)
    with pytest.raises(OperationError, match="resetting it would lose etcd's quorum"):
        reset(made.job)
    assert made.talos.count("reset") == 0


@pytest.mark.parametrize(
    ("own", "known", "message"),
    [
        (failed(UNAVAILABLE), members("aa"), "cp1 did not say whether it has etcd data"),
        (
            ok(""),
            failed(UNAVAILABLE),
            "nobody can say how many members etcd has: error executing: Unavailable",
        ),
    ],
    ids=["unknown", "no list"],
)
def test_what_nobody_can_say_is_no_permission(own: object, known: object, message: str) -> None:
    made = bench()
    made.talos.on("get etcdmember", failed(UNAVAILABLE))
    made.talos.answers["get etcdmember", CP1] = [own]  # type: ignore[list-item]
    made.talos.answers["etcd members", "*"] = [known]  # type: ignore[list-item]
    made.talos.on("list /var/lib/etcd", ok(".\nmember\n"))
    with pytest.raises(OperationError, match=message):
        reset(made.job)
    assert made.talos.count("reset") == 0


@pytest.mark.parametrize("state", [SILENT, MAINTENANCE])
def test_a_node_that_is_gone_needs_nothing(state: State) -> None:
    made = bench()
    made.looks.at(CP1, state)
    assert reset(made.job) == "cp1 reset"
    assert made.talos.calls == []
    assert made.said[-1].startswith(f"nothing to reset: {CP1} {state.value}")


@pytest.mark.parametrize("state", [State.FOREIGN, State.CLOCK, State.STRANGER])
def test_somebody_else_is_not_reset(state: State) -> None:
    made = bench()
    made.looks.at(CP1, state)
    with pytest.raises(OperationError) as caught:
        reset(made.job)
    assert str(caught.value) == (
        f"cp1 is not reset: {CP1} {state.value}\n"
        "check: the node's address and clock; `pulumi state delete` forgets the node without resetting it"
    )
    assert made.talos.calls == []


def test_a_cut_connection_is_tried_again_while_the_node_is_there() -> None:
    made = bench()
    made.looks.at(CP1, OURS, OURS, OURS, OURS, SILENT)
    made.talos.on("reset", failed(UNAVAILABLE), ok())
    assert reset(made.job) == "cp1 reset"
    assert made.talos.count("reset") == 2


def test_a_node_that_comes_back_unchanged_is_told_again() -> None:
    made = bench()
    made.looks.at(CP1, OURS, OURS, SILENT, OURS, MAINTENANCE)
    assert reset(made.job) == "cp1 reset"
    assert made.talos.count("reset") == 2
    assert "cp1 came back without having been reset" in made.said


def test_a_node_that_stays() -> None:
    made = bench()
    made.looks.at(CP1, OURS)
    with pytest.raises(OperationError) as caught:
        reset(made.job)
    assert "gave up waiting for cp1 to leave the cluster" in str(caught.value)
    assert made.talos.count("reset") == 1


def test_a_refused_reset() -> None:
    made = bench()
    made.talos.on("reset", failed("rpc error: code = PermissionDenied desc = not authorized"))
    with pytest.raises(OperationError, match="cp1 refuses to be reset: PermissionDenied: not authorized"):
        reset(made.job)
