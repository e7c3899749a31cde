"""Bootstrapping etcd: once, and never beside data."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from steps.bootstrap import RESULT, BootstrapDecision, bootstrap, decide
from steps.etcd import EtcdFinding, Evidence
from tests.unit.steps.steps_job import FOREIGN, UNAVAILABLE, Bench, failed, ok, resource

CP1, CP2, CP3 = "10.0.50.11", "10.0.50.12", "10.0.50.13"
MEMBER, DATA, EMPTY, UNKNOWN = Evidence.MEMBER, Evidence.DATA, Evidence.EMPTY, Evidence.UNKNOWN


def bench(**changes: str) -> Bench:
    """Return three fresh control planes."""
    environment = {"CONTROL_PLANES": f"cp1={CP1} cp2={CP2} cp3={CP3}", "BOOTSTRAP_NODE": "cp1"}
    made = Bench({**environment, **changes})
    made.talos.on("get etcdmember", ok(""))
    made.talos.on("get services", resource({"running": False}))
    made.talos.on("list /var/lib/etcd", ok(".\n"))
    made.talos.on("bootstrap", ok())
    return made


@pytest.mark.parametrize(
    ("evidence", "decision"),
    [
        ([EMPTY], BootstrapDecision.BOOTSTRAP),
        ([EMPTY, EMPTY, EMPTY], BootstrapDecision.BOOTSTRAP),
        ([MEMBER, EMPTY, EMPTY], BootstrapDecision.JOIN),
        ([EMPTY, DATA, EMPTY], BootstrapDecision.JOIN),
        ([EMPTY, MEMBER, UNKNOWN], BootstrapDecision.JOIN),
        ([EMPTY, UNKNOWN, EMPTY], BootstrapDecision.WAIT),
        ([UNKNOWN], BootstrapDecision.WAIT),
    ],
)
def test_decision(evidence: list[Evidence], decision: BootstrapDecision) -> None:
    assert decide(EtcdFinding("cp", item) for item in evidence) is decision


def test_a_fresh_cluster_is_bootstrapped_on_the_chosen_node_only() -> None:
    made = bench(BOOTSTRAP_NODE="cp2")
    assert bootstrap(made.job) == RESULT
    assert [call.node for call in made.talos.calls if call.verb == "bootstrap"] == [CP2]
    assert made.said == ["bootstrapped etcd on cp2"]


@pytest.mark.parametrize("node", [CP1, CP2, CP3])
def test_data_anywhere_means_no_bootstrap(node: str) -> None:
    made = bench()
    made.talos.on("list /var/lib/etcd", ok(".\nmember\n"), node=node)
    assert bootstrap(made.job) == RESULT
    assert made.talos.count("bootstrap") == 0
    assert "not bootstrapping, etcd data exists" in made.text


def test_a_replaced_first_node_joins() -> None:
    made = bench()
    made.talos.on("get etcdmember", resource({"memberID": "bb"}), node=CP2)
    made.talos.on("get etcdmember", failed(UNAVAILABLE), node=CP3)
    assert bootstrap(made.job) == RESULT
    assert made.talos.count("bootstrap") == 0


@pytest.mark.parametrize("answer", [UNAVAILABLE, FOREIGN], ids=["down", "foreign"])
def test_a_control_plane_that_does_not_answer_stops_a_first_bootstrap(answer: str) -> None:
    made = bench()
    made.talos.on("get etcdmember", failed(answer), node=CP3)
    with pytest.raises(OperationError) as caught:
        bootstrap(made.job)
    assert made.talos.count("bootstrap") == 0
    assert "gave up waiting for cp1 to bootstrap etcd after 600 s" in str(caught.value)
    assert "cp3 did not say whether it has etcd data" in str(caught.value)
    assert "check: that every control plane of the stack is powered on" in str(caught.value)


def test_a_control_plane_that_comes_late_is_waited_for() -> None:
    made = bench()
    made.talos.on("get etcdmember", failed(UNAVAILABLE), ok(""), node=CP3)
    assert bootstrap(made.job) == RESULT
    assert made.talos.count("bootstrap") == 1


@pytest.mark.parametrize(
    "text",
    [
        "rpc error: code = FailedPrecondition desc = bootstrap is not available yet",
        "rpc error: code = FailedPrecondition desc = time is not in sync yet",
        UNAVAILABLE,
    ],
)
def test_not_yet_is_tried_again_after_another_look(text: str) -> None:
    made = bench()
    made.talos.on("bootstrap", failed(text), ok())
    assert bootstrap(made.job) == RESULT
    assert made.talos.count("bootstrap") == 2
    assert made.talos.count("get etcdmember") == 6


def test_a_cut_connection_after_the_bootstrap_began_is_no_second_bootstrap() -> None:
    made = bench()
    made.talos.on("bootstrap", failed(UNAVAILABLE))
    made.talos.on("get services", resource({"running": False}), resource({"running": True}), node=CP1)
    assert bootstrap(made.job) == RESULT
    assert made.talos.count("bootstrap") == 1


def test_somebody_was_faster() -> None:
    made = bench()
    made.talos.on(
        "bootstrap", failed("rpc error: code = AlreadyExists desc = etcd data directory is not empty")
    )
    assert bootstrap(made.job) == RESULT


def test_a_final_refusal() -> None:
    made = bench()
    text = "rpc error: code = Unimplemented desc = bootstrap is only available on control plane nodes"
    made.talos.on("bootstrap", failed(text))
    with pytest.raises(OperationError) as caught:
        bootstrap(made.job)
    assert str(caught.value) == (
        "could not bootstrap etcd on cp1: Unimplemented: bootstrap is only available on control plane nodes"
    )


def test_a_chosen_node_that_is_none_of_them() -> None:
    with pytest.raises(
        OperationError, match="BOOTSTRAP_NODE 'w1' is none of the control planes: cp1, cp2, cp3"
    ):
        bootstrap(bench(BOOTSTRAP_NODE="w1").job)
