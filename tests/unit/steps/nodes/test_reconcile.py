"""The set of nodes is brought to the configuration, one node at a time."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered
from clients.talos.handshake import State
from steps.nodes.reconcile import reconcile
from steps.nodes.records import parse_managed
from steps.nodes.removal import MARK
from tests.unit.steps.nodes.nodes_bench import configured, nodes_bench
from tests.unit.steps.nodes.nodes_cases import ADDRESSES
from tests.unit.steps.steps_job import UNAVAILABLE, Call, failed, stage

ALL = tuple(ADDRESSES)
CONTROL_PLANES = ALL[:3]
CP1, CP3, W1 = ADDRESSES["cp1"], ADDRESSES["cp3"], ADDRESSES["w1"]
LOOKING = {"get systeminformation", "get links", "get machinestatus", "get etcdmember", "etcd members"}


def acts(calls: list[Call]) -> list[tuple[str, str]]:
    """Return the calls that change something."""
    return [(call.verb, call.node) for call in calls if call.verb not in LOOKING]


def test_the_first_run_records_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    assert parse_managed(reconcile(made.job)) == configured(*ALL)
    assert acts(made.talos.calls) == [("apply-config", ADDRESSES[name]) for name in ("w1", *CONTROL_PLANES)]
    assert kube.asked == []


def test_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = nodes_bench(monkeypatch, *ALL, last=configured(*ALL))
    assert parse_managed(reconcile(made.job)) == configured(*ALL)
    assert acts(made.talos.calls) == []
    assert made.said == []


def test_a_node_is_back_before_the_next_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = nodes_bench(monkeypatch, "cp1", "cp2")
    made.talos.on("get machinestatus", stage("rebooting"), stage("running"))
    reconcile(made.job)
    verbs = [
        (call.verb, call.node)
        for call in made.talos.calls
        if call.verb not in LOOKING - {"get machinestatus"}
    ]
    assert verbs == [
        ("apply-config", CP1),
        *[("get machinestatus", CP1)] * 2,
        ("apply-config", ADDRESSES["cp2"]),
        ("get machinestatus", ADDRESSES["cp2"]),
    ]
    assert made.said[:3] == [
        "the plan for the nodes:",
        "  cp1 (controlplane, 10.0.50.11) gets its new configuration",
        "  cp2 (controlplane, 10.0.50.12) gets its new configuration",
    ]


def test_a_refused_plan_touches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, "w1", last=configured("cp1", "w1"))
    with pytest.raises(OperationError, match="no node has been touched"):
        reconcile(made.job)
    assert acts(made.talos.calls) == []
    assert kube.asked == []


def test_a_node_that_only_boots_is_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = nodes_bench(monkeypatch, *ALL, last=configured(*ALL))
    made.looks.at(W1, State.SILENT, State.SILENT, State.OURS)
    system = made.talos.answers["get systeminformation", CP1]
    made.talos.on("get systeminformation", failed(UNAVAILABLE), *system, node=CP1)
    assert parse_managed(reconcile(made.job)) == configured(*ALL)


@pytest.mark.parametrize("state", [State.SILENT, State.FOREIGN])
def test_a_node_that_is_not_ours_now(monkeypatch: pytest.MonkeyPatch, state: State) -> None:
    made, _ = nodes_bench(monkeypatch, *ALL, last=configured(*ALL))
    made.looks.at(W1, state)
    with pytest.raises(OperationError, match=f"w1 must answer as a node of this cluster: .* {state.value}"):
        reconcile(made.job)


def test_a_node_that_does_not_say_who_it_is_counts_as_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = nodes_bench(monkeypatch, *ALL, last=configured(*ALL))
    made.talos.on("get systeminformation", failed(UNAVAILABLE), node=W1)
    with pytest.raises(OperationError, match=r"w1 must answer as a node of this cluster: .* does not answer"):
        reconcile(made.job)


def test_a_worker_is_marked_shut_down_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *CONTROL_PLANES, last=configured(*ALL))
    made.looks.at(W1, State.OURS, State.OURS, State.SILENT)
    kube.first = [Unanswered("no route to host"), 503]
    assert parse_managed(reconcile(made.job)) == configured(*CONTROL_PLANES)
    assert acts(made.talos.calls) == [("shutdown", W1)]
    marked = {"metadata": {"annotations": {MARK: "true"}}, "spec": {"unschedulable": True}}
    assert kube.asked == [*[("PATCH", "w1", marked)] * 3, ("DELETE", "w1", None)]
    assert "wipe it before it is used again" in made.text


def test_a_control_plane_leaves_etcd_before_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, "cp1", "cp2", last=configured(*CONTROL_PLANES))
    made.looks.at(CP3, State.OURS, State.SILENT)
    made.talos.on("shutdown", failed(UNAVAILABLE), *made.talos.answers["shutdown", "*"])
    kube.first = []
    reconcile(made.job)
    assert acts(made.talos.calls) == [("etcd leave", CP3), *[("shutdown", CP3)] * 2]
    assert "cp3" not in kube.nodes


def test_a_node_is_wiped_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(
        monkeypatch, "cp1", "cp2", last=configured(*CONTROL_PLANES), RESET_ON_DESTROY="yes"
    )
    made.looks.at(CP3, State.OURS, State.OURS, State.MAINTENANCE)
    reconcile(made.job)
    assert acts(made.talos.calls) == [("reset", CP3)]
    assert "cp3" not in kube.nodes


def test_a_refused_order(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *CONTROL_PLANES, last=configured(*ALL))
    made.talos.on("shutdown", failed("rpc error: code = PermissionDenied desc = not authorized"))
    with pytest.raises(OperationError, match=r"could not shut w1 down: .*not authorized"):
        reconcile(made.job)
    assert "w1" in kube.nodes


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_killed_removal_is_finished(monkeypatch: pytest.MonkeyPatch, is_deleted: bool) -> None:  # noqa: FBT001
    made, kube = nodes_bench(monkeypatch, *CONTROL_PLANES, last=configured(*ALL))
    made.looks.at(W1, State.SILENT)
    kube.nodes["w1"]["metadata"]["annotations"] = {MARK: "true"}
    if is_deleted:
        del kube.nodes["w1"]
    kube.first = [Unanswered("no route to host")]
    reconcile(made.job)
    assert acts(made.talos.calls) == []
    assert "w1" not in kube.nodes


def test_the_api_server_is_waited_for_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *CONTROL_PLANES, last=configured(*ALL))
    made.looks.at(W1, State.SILENT)
    del kube.nodes["w1"]
    kube.first = []
    original = kube.ask
    troubles: list[Unanswered | int] = [Unanswered("no route to host"), 503]

    def ask(path: str, method: str = "GET", body: object = None) -> object:
        kube.first = [troubles.pop(0)] if troubles else []
        return original(path, method)

    monkeypatch.setattr(kube, "ask", ask)
    reconcile(made.job)
    assert troubles == []
    assert "waiting for the API server to delete the Node w1" in made.text
