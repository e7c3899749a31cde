"""What control planes say about etcd, and what follows from it."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from clients.talos.talosctl import Access
from steps.etcd import (
    EtcdFinding,
    Evidence,
    disagreement,
    etcd,
    examine,
    known_members,
    quorum_allows,
)
from tests.unit.steps.steps_job import FOREIGN, UNAVAILABLE, Bench, failed, members, ok, resource

CONTROL_PLANES = "cp1=10.0.50.11 cp2=10.0.50.12 cp3=10.0.50.13"
ACCESS = Access("cp1", "10.0.50.11", "talosconfig")
NO_DIRECTORY = failed(
    "error streaming results: rpc error: code = Unknown desc = lstat /var/lib/etcd: no such file or directory"
)


def bench() -> Bench:
    made = Bench({"CONTROL_PLANES": CONTROL_PLANES})
    made.talos.on("get etcdmember", ok(""))
    made.talos.on("get services", resource({"running": False}))
    made.talos.on("list /var/lib/etcd", ok("NODE   NAME\n.\n"))
    return made


def test_a_member() -> None:
    made = bench()
    made.talos.on("get etcdmember", resource({"memberID": "5d2f"}))
    assert examine(made.job, ACCESS) == EtcdFinding("cp1", Evidence.MEMBER, "5d2f")
    assert len(made.talos.calls) == 1


def test_a_member_without_an_id_still_is_one() -> None:
    made = bench()
    made.talos.on("get etcdmember", resource({}))
    assert examine(made.job, ACCESS).evidence is Evidence.MEMBER


def test_a_running_service_has_data() -> None:
    made = bench()
    made.talos.on("get services", resource({"running": True, "healthy": False}))
    assert str(examine(made.job, ACCESS)) == "cp1 has etcd data, but its etcd is not healthy"


@pytest.mark.parametrize(
    "listing", [".\nmember\n", "NODE         NAME\n10.0.50.11   .\n10.0.50.11   member\n"]
)
def test_a_data_directory_is_data(listing: str) -> None:
    made = bench()
    made.talos.on("list /var/lib/etcd", ok(listing))
    assert examine(made.job, ACCESS).evidence is Evidence.DATA


@pytest.mark.parametrize("listing", ["NODE   NAME\n.\n", ""], ids=["empty", "nothing"])
def test_no_data(listing: str) -> None:
    made = bench()
    made.talos.on("list /var/lib/etcd", ok(listing))
    assert str(examine(made.job, ACCESS)) == "cp1 has no etcd data"


def test_a_missing_directory_is_empty_once_var_is_mounted() -> None:
    made = bench()
    made.talos.on("list /var/lib/etcd", NO_DIRECTORY)
    made.talos.on("get services cri", resource({"running": True}))
    assert str(examine(made.job, ACCESS)) == "cp1 has no etcd data"
    assert made.talos.count("list /var/lib/etcd") == 2


def test_a_missing_directory_proves_nothing_before_var_is_mounted() -> None:
    """The API answers before `/var` is mounted; the data of the last boot is on the volume that comes."""
    made = bench()
    made.talos.on("list /var/lib/etcd", NO_DIRECTORY)
    made.talos.on("get services cri", ok(""))
    assert str(examine(made.job, ACCESS)) == (
        "cp1 did not say whether it has etcd data "
        "(its service cri does not run yet, so /var may not be mounted)"
    )


def test_a_volume_that_is_mounted_between_two_questions_is_looked_into() -> None:
    made = bench()
    made.talos.on("list /var/lib/etcd", NO_DIRECTORY, ok(".\nmember\n"))
    made.talos.on("get services cri", resource({"running": True}))
    assert examine(made.job, ACCESS).evidence is Evidence.DATA


def test_a_node_that_goes_between_two_questions_proves_nothing() -> None:
    made = bench()
    made.talos.on("list /var/lib/etcd", NO_DIRECTORY, failed(UNAVAILABLE))
    made.talos.on("get services cri", resource({"running": True}))
    assert examine(made.job, ACCESS).evidence is Evidence.UNKNOWN


def test_a_service_that_is_not_known_is_no_proof() -> None:
    made = bench()
    made.talos.on("get services", failed("rpc error: code = NotFound"))
    assert examine(made.job, ACCESS).evidence is Evidence.EMPTY


@pytest.mark.parametrize("answer", [UNAVAILABLE, FOREIGN], ids=["down", "foreign"])
@pytest.mark.parametrize("verb", ["get etcdmember", "list /var/lib/etcd"])
def test_whoever_does_not_answer_proves_nothing(verb: str, answer: str) -> None:
    made = bench()
    made.talos.on(verb, failed(answer))
    assert str(examine(made.job, ACCESS)).startswith("cp1 did not say whether it has etcd data (")


def test_known_members() -> None:
    made = bench()
    made.talos.on("etcd members", members("aa", learners=("bb",)), ok("?"), failed(UNAVAILABLE))
    assert known_members(made.job, ACCESS) == (frozenset({"aa"}), frozenset({"bb"}))
    assert (
        known_members(made.job, ACCESS)
        == "talosctl printed a table of etcd members that this step does not know"
    )
    assert "connection refused" in str(known_members(made.job, ACCESS))


@pytest.mark.parametrize(
    ("count", "healthy_others", "allowed"),
    [
        (1, 0, True),
        (2, 1, True),
        (2, 0, False),
        (3, 2, True),
        (3, 1, False),
        (4, 3, True),
        (4, 2, False),
        (5, 4, True),
        (5, 3, True),
        (5, 2, False),
    ],
)
def test_quorum(count: int, healthy_others: int, allowed: bool) -> None:  # noqa: FBT001
    assert quorum_allows(count, healthy_others) is allowed


ABC = {"cp1": "a", "cp2": "b", "cp3": "c"}
ALL = (frozenset("abc"), frozenset[str]())


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        ({"cp1": ALL, "cp2": ALL}, ""),
        ({"cp1": ALL, "cp2": (frozenset("ab"), frozenset("c"))}, "cp2 still lists a learner (c)"),
        ({"cp1": (frozenset("abcd"), frozenset())}, "cp1 lists members that are not in this stack: d"),
        ({"cp1": ALL, "cp2": (frozenset("b"), frozenset())}, "cp2 does not list cp1, cp3"),
    ],
)
def test_disagreement(lists: dict[str, tuple[frozenset[str], frozenset[str]]], reason: str) -> None:
    assert disagreement(ABC, lists) == reason


def test_the_gate_waits_for_every_member_and_the_same_list() -> None:
    made = bench()
    made.talos.on("get etcdmember", resource({"memberID": "aa"}), node="10.0.50.11")
    made.talos.on("get etcdmember", ok(""), resource({"memberID": "bb"}), node="10.0.50.12")
    made.talos.on("get etcdmember", failed(UNAVAILABLE), resource({"memberID": "cc"}), node="10.0.50.13")
    made.talos.on(
        "etcd members", failed(UNAVAILABLE), members("aa", "bb", learners=("cc",)), members("aa", "bb", "cc")
    )
    assert etcd(made.job) == "etcd healthy on cp1 cp2 cp3"
    assert "cp2 has no etcd data; cp3 did not say" in made.text
    assert "cp1: Unavailable" in made.text or "cp1: error executing: Unavailable" in made.text
    assert "cp1 still lists a learner (cc)" in made.text


def test_the_gate_names_who_is_late() -> None:
    made = bench()
    with pytest.raises(OperationError) as caught:
        etcd(made.job)
    assert "last answer: cp1 has no etcd data; cp2 has no etcd data; cp3 has no etcd data" in str(
        caught.value
    )
    assert "check: `talosctl service etcd`" in str(caught.value)
