"""Between two moves the Nodes are Ready again, as far as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered
from clients.talos.handshake import State
from steps.nodes.readiness import Readiness, read_readiness
from steps.nodes.reconcile import reconcile
from tests.unit.clients.talos.test_answers import IMMEDIATE
from tests.unit.steps.nodes.nodes_bench import configured, node_object, nodes_bench
from tests.unit.steps.nodes.nodes_cases import ADDRESSES
from tests.unit.steps.steps_job import failed, ok, stage
from tests.unit.steps.test_reconfigure import role

if TYPE_CHECKING:
    from collections.abc import Iterable

ALL = tuple(ADDRESSES)
BOOTS = Readiness(dict.fromkeys(ALL, "first"))


def nodes(over: Iterable[dict[str, object]] = ()) -> list[dict[str, object]]:
    """Return Nodes that are Ready, but for these."""
    found = {name: node_object(name) for name in ALL}
    return list({**found, **{str(node["metadata"]["name"]): node for node in over}}.values())  # type: ignore[index]


def test_who_is_ready_is_remembered_with_its_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    kube.lists = [Unanswered("no route to host"), nodes([node_object("w1", "False")])]
    assert read_readiness(made.job) == Readiness(dict.fromkeys(ALL[:3], "first"))


def test_an_api_server_that_is_down_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    kube.lists = [Unanswered("no route to host")] * 99
    assert read_readiness(made.job) == Readiness({})
    assert "whether Nodes are Ready is not looked at" in made.said[-1]


def test_a_node_without_its_facts_has_no_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    bare = node_object("w1")
    del bare["status"]["nodeInfo"]
    kube.lists = [nodes([bare])]
    assert read_readiness(made.job).boots["w1"] == ""


def test_nobody_waits_for_nodes_that_were_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    kube.lists = [[]]
    Readiness({}).wait(made.job, ALL)
    assert kube.lists == [[]]


def test_nodes_become_ready_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    kube.lists = [Unanswered("no route to host"), nodes([node_object("w1", "False")]), nodes()]
    BOOTS.wait(made.job, ALL)
    assert "no route to host" in made.said[0]
    assert "w1 is not Ready: KubeletNotReady" in made.said[1]


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (node_object("w1"), "the kubelet of w1 has not reported since the reboot"),
        (node_object("w1", "False", "second"), "w1 is not Ready: KubeletNotReady"),
    ],
)
def test_a_node_that_rebooted_must_report_again(
    monkeypatch: pytest.MonkeyPatch, after: dict[str, object], message: str
) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    kube.lists = [nodes([after]), nodes([node_object("w1", "True", "second")])]
    BOOTS.wait(made.job, ["w1"], "w1")
    assert message in made.text


def test_a_node_that_does_not_come_back_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL)
    del kube.nodes["w1"]
    with pytest.raises(
        OperationError, match=r"gave up waiting for the Nodes to be Ready .* w1 has not registered"
    ):
        BOOTS.wait(made.job, ["w1"], "w1")


def test_the_next_node_waits_for_the_kubelet_of_the_one_that_rebooted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, kube = nodes_bench(monkeypatch, *ALL, last=configured(*ALL[:3]), APPLY_MODE="auto")
    made.looks.at(ADDRESSES["w1"], State.OURS)
    made.talos.on("get machinetype", role("worker"))
    made.talos.on(
        "apply-config", failed(IMMEDIATE), ok(stderr=f"Applied configuration with a reboot: {IMMEDIATE}")
    )
    made.talos.on("get machinestatus", stage("running", "one"), stage("running", "two"))
    rebooted = nodes([node_object("w1", "True", "second")])
    kube.lists = [nodes(), nodes(), nodes(), rebooted]
    reconcile(made.job)
    assert "the kubelet of w1 has not reported since the reboot" in made.text
    assert made.said[-1] == "w1 works with its configuration"
