"""The whole job on real parts: from maintenance mode to an address that answers, failure, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.real.make_targets import PROVE, UP
from model.versions import CILIUM

if TYPE_CHECKING:
    from tests.real.conftest import Life

CLAIMS = {
    UP: (
        "`talosctl health` passes",
        "verify: nodes Ready",
        "verify: kube-proxy absent",
        "no kube-proxy process on any node",
        f"Cilium is the chart's release {CILIUM}",
        "KubeProxyReplacement True",
        "pods have addresses of 10.244.0.0/16",
        "reaches ClusterIP",
        "reaches a pod on another node",
        "CoreDNS is available",
        "reaches a Service by its DNS name",
        "verify: 10.0.50.200 assigned",
        "verify: 10.0.50.200 announced",
        "announces 10.0.50.200",
        "client1: ARP for 10.0.50.200 is answered by",
        "client1: HTTP on 10.0.50.200",
        "client2: ARP for 10.0.50.200 is answered by",
        "client2: HTTP on 10.0.50.200",
        "nobody answers ARP for 10.0.50.207",
    ),
    PROVE: (
        "`pulumi up` again changes nothing",
        "took over",
        "ARP went unanswered for",
        "HTTP answered again",
        "came back and is Ready",
        "policy Cluster: the pod on",
        "policy Local: the pod sees the client's own address",
    ),
}
"""Part of each claim that a report must have."""


@pytest.mark.parametrize(("section", "part"), [(s, part) for s, parts in CLAIMS.items() for part in parts])
def test_claim_holds(life: Life, section: str, part: str) -> None:
    found = [check for check in life.report[section]["checks"] if part in check["claim"]]
    assert found, f"the report does not have the claim {part!r}"
    assert all(check["passed"] for check in found), found


def test_no_claim_failed(life: Life) -> None:
    checks = [check for section in life.report.values() for check in section["checks"]]
    assert [check for check in checks if not check["passed"]] == []


def test_a_killed_run_is_taken_up_again(life: Life) -> None:
    assert life.codes["killed"] == -9
    assert {name: code for name, code in life.codes.items() if name != "killed"} == dict.fromkeys(
        ("up", "prove", "destroy", "down"), 0
    )


def test_failover_was_measured(life: Life) -> None:
    seconds = life.report[PROVE]["seconds"]
    assert 9 <= seconds["failover, ARP without an answer"] <= 23, seconds


def test_memory_stays_within_its_limit(life: Life) -> None:
    assert life.report[UP]["seconds"]["peak memory of all nodes, GiB"] < 8


def test_nothing_is_left(life: Life) -> None:
    assert life.left == []
