"""The whole table of `ops doctor`: what it still says when something is missing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops import doctor, sources, verify, workstation
from ops.observe import gather
from ops.sources import CannotCheckError, Place
from ops.table import Row, Verdict, passed
from tests.unit.ops.ops_objects import CUSTOM, FakeKube, condition, healthy, policy, service
from tests.unit.ops.test_certificates import YEAR, kubeconfig, talosconfig
from tests.unit.ops.test_observe import answering

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[3]
LAB = Place(project=ROOT, stack="lab")
WEB, HELD = "shop/web", "10.0.50.201"


@pytest.fixture(autouse=True)
def _quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this machine's tools nor its network belong to these tests."""
    monkeypatch.setattr(workstation, "tools", lambda: iter([passed("talosctl", "v1.13.0")]))
    monkeypatch.setattr(workstation, "nodes", lambda *_: iter([passed("node cp1", "ours")]))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    answers = healthy()
    monkeypatch.setattr(verify, "open_patient", lambda _text: FakeKube(answers))
    return answers


def outputs(_argv: Sequence[str], _directory: Path, /) -> str:
    return "{}"


def run(place: Place, tmp_path: Path) -> list[Row]:
    kube, talos = tmp_path / "kube", tmp_path / "talos"
    kube.write_text(kubeconfig(YEAR.certificate))
    talos.write_text(talosconfig(YEAR.certificate))
    found = Place(project=place.project, stack=place.stack, kubeconfig=kube, talosconfig=talos)
    return list(doctor.doctor(found, outputs, answering, datetime.now(UTC)))


def lines(rows: list[Row], verdict: Verdict) -> list[str]:
    return [f"{row.check}: {row.evidence}" for row in rows if row.verdict is verdict]


def test_a_healthy_cluster_has_no_cause(api: dict[str, object], tmp_path: Path) -> None:
    rows = run(LAB, tmp_path)
    assert lines(rows, Verdict.FAIL) == []
    assert lines(rows, Verdict.PASS) == [
        "talosctl: v1.13.0",
        f"stack config: {ROOT}/Pulumi.lab.yaml has no faults",
        "credentials: kubeconfig and talosconfig found",
        "certificate of the kubeconfig: valid for 364 more days",
        "certificate of the talosconfig: valid for 364 more days",
        "node cp1: ours",
        "Kubernetes: the API server answers; 5 nodes",
        "owner of pool homelab: nobody has applied it",
        "owner of pool ingress-nginx-controller.ingress-nginx: nobody has applied it",
        "owner of policy homelab: nobody has applied it",
        "Service ingress-nginx/ingress-nginx-controller holds 10.0.50.200: announced by w1",
    ]


def test_faults_of_the_config_come_first_and_alone(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text("config: {}")
    rows = run(Place(project=tmp_path, stack="x"), tmp_path)
    assert lines(rows, Verdict.FAIL) == [
        f"stack config: {tmp_path}/Pulumi.x.yaml has no config for homelab:cluster"
    ]
    assert len(rows) == 2


def test_what_is_unwise_is_noted(
    api: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "advice", lambda _cluster: ("nodes: two control planes",))
    assert lines(run(LAB, tmp_path), Verdict.NOTE) == ["stack config: nodes: two control planes"]


def test_before_the_first_up_there_are_no_credentials() -> None:
    rows = list(doctor.doctor(LAB, outputs, answering, datetime.now(UTC)))
    assert lines(rows, Verdict.NOT_APPLICABLE) == [
        "credentials: no kubeconfig and no talosconfig: before the first `pulumi up`?",
        "Kubernetes: there is no kubeconfig: the stack has no such output yet, or name --kubeconfig",
    ]


def test_a_stack_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise CannotCheckError("`pulumi stack output`: error: no stack named 'lab'")

    rows = list(doctor.doctor(LAB, refuse, answering, datetime.now(UTC)))
    assert lines(rows, Verdict.FAIL) == ["credentials: `pulumi stack output`: error: no stack named 'lab'"]


def test_an_api_server_that_does_not_answer(api: dict[str, object], tmp_path: Path) -> None:
    api.clear()
    assert lines(run(LAB, tmp_path), Verdict.FAIL) == [
        "Kubernetes: the Kubernetes API cannot be asked: /api/v1/nodes does not exist (404)"
    ]


def test_no_load_balancer_service(api: dict[str, object], tmp_path: Path) -> None:
    api["/api/v1/services"] = []
    assert lines(run(LAB, tmp_path), Verdict.NOT_APPLICABLE) == ["LoadBalancer Services: there is none"]


def test_a_service_without_an_address(api: dict[str, object], tmp_path: Path) -> None:
    waiting = service(WEB, annotations={"lbipam.cilium.io/ips": "10.0.50.199"})
    waiting["status"] = {"conditions": [condition("cilium.io/IPAMRequestSatisfied", "False", "no_pool")]}
    api["/api/v1/services"] = [waiting]
    rows = run(LAB, tmp_path)
    assert lines(rows, Verdict.FAIL) == [
        "Service shop/web has no address: it asks for 10.0.50.199, which no pool may give away"
    ]
    assert rows[-1].advice.startswith("the address must lie in loadBalancer.cidr")


def test_an_address_that_may_not_answer(api: dict[str, object], tmp_path: Path) -> None:
    api["/api/v1/services"] = [service(WEB, HELD)]
    api[f"{CUSTOM}/v2alpha1/ciliuml2announcementpolicies"] = [policy("homelab", loadBalancerIPs=False)]
    assert lines(run(LAB, tmp_path), Verdict.FAIL) == [
        (
            "Service shop/web may not answer at 10.0.50.201: "
            "no L2 policy with loadBalancerIPs selects shop/web (policies: homelab)"
        )
    ]


def test_where_agents_are_simulated_an_answer_is_not_expected(api: dict[str, object], tmp_path: Path) -> None:
    api[f"{CUSTOM}/v2/ciliumnodes"] = []
    rows = run(LAB, tmp_path)
    assert lines(rows, Verdict.FAIL) == []
    assert rows[-1].evidence.startswith("whether it answers cannot be said: no Cilium agent really runs")


def test_an_assigned_address_whose_lease_was_not_asked_for(tmp_path: Path) -> None:
    """A Service that got its address between two questions has no lease among the facts."""
    cluster = sources.cluster(LAB)
    seen = gather(FakeKube(healthy()))
    (ingress,) = seen.services
    without = type(seen)(
        nodes=seen.nodes, agents=seen.agents, policies=seen.policies, pools=seen.pools, services=(ingress,)
    )
    (row,) = doctor.service_rows(cluster, ingress, without)
    assert row.evidence == "no cause found"
