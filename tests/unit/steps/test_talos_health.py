"""Talos' own health check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from clients.talos.process import Result
from clients.talos.talosctl import bootstrap
from steps.environment import Peer
from steps.talos_health import talos_health
from tests.unit.steps.steps_job import UNAVAILABLE, Bench, failed, ok

if TYPE_CHECKING:
    from clients.talos.process import Listener
    from clients.talos.talosctl import Invocation

CP1, CP2 = "10.0.50.11", "10.0.50.12"
PASSED = "waiting for etcd to be healthy: ...\nwaiting for etcd to be healthy: OK\nwaiting for nodes: SKIP\n"


class Hearing:
    """A talosctl that says some lines and succeeds."""

    def __init__(self, *lines: str | None) -> None:
        self.lines = lines

    def __call__(self, _call: Invocation, _limit: float, listener: Listener | None = None, /) -> Result:
        assert listener
        for line in self.lines:
            listener(line)
        return ok()


def bench() -> Bench:
    return Bench({"CONTROL_PLANES": f"cp1={CP1} cp2={CP2}", "WORKERS": "w1=10.0.50.21"})


def test_health_is_asked_with_explicit_nodes() -> None:
    made = bench()
    made.talos.on("health", ok(stderr=PASSED))
    assert talos_health(made.job) == "Talos is healthy"
    assert made.said == []
    assert made.talos.calls[0].flags == (
        f"--endpoints={CP1}",
        f"--nodes={CP1}",
        f"--control-plane-nodes={CP1},{CP2}",
        "--worker-nodes=10.0.50.21",
        "--wait-timeout=590s",
    )


def test_a_control_plane_that_is_down_leads_to_the_next_one() -> None:
    made = bench()
    made.talos.on("health", failed(UNAVAILABLE), node=CP1)
    made.talos.on("health", ok(stderr=PASSED), node=CP2)
    assert talos_health(made.job) == "Talos is healthy"


def test_an_end_without_success_is_no_success() -> None:
    """Talosctl ends with status 0 when the node cancels the check."""
    made = bench()
    made.talos.on("health", ok(stderr="waiting for apid: ...\n"), ok(stderr=PASSED))
    assert talos_health(made.job) == "Talos is healthy"
    assert made.talos.count("health") == 2


def test_health_that_cannot_be_asked() -> None:
    made = bench()
    made.talos.on(
        "health", failed("waiting for apid: ...\nrpc error: code = InvalidArgument desc = no nodes")
    )
    with pytest.raises(OperationError) as caught:
        talos_health(made.job)
    assert str(caught.value) == (
        "Talos' health check failed: InvalidArgument: no nodes\ncheck: before that: waiting for apid: ..."
    )


def test_unhealthy_to_the_end() -> None:
    made = bench()
    text = "waiting for kubelet: ...\nwaiting for kubelet: not on 10.0.50.21\n"
    made.talos.on(
        "health", failed(f"{text}healthcheck error: rpc error: code = DeadlineExceeded desc = deadline")
    )
    with pytest.raises(OperationError) as caught:
        talos_health(made.job)
    assert made.said[0] == "waiting for kubelet: not on 10.0.50.21"
    assert "after 600 s; last answer: waiting for kubelet: not on 10.0.50.21" in str(caught.value)


def test_health_that_never_says_a_word() -> None:
    made = bench()
    made.talos.on("health", Result(None, "", ""))
    with pytest.raises(OperationError, match="last answer: no answer within the time limit of the call"):
        talos_health(made.job)


def test_silence_is_filled() -> None:
    made = bench()
    job = made.job
    hearing = Hearing("waiting for etcd: no leader", None, "discovered nodes: []", "waiting for etcd: OK")
    object.__setattr__(job, "runner", hearing)
    assert talos_health(job) == "Talos is healthy"
    assert made.said == [
        "waiting for etcd: no leader",
        "Talos' health check still says: waiting for etcd: no leader",
    ]


def test_a_call_that_takes_long_says_what_it_is() -> None:
    made = bench()
    job = made.job
    object.__setattr__(job, "runner", Hearing("some line", None))
    job.call(bootstrap(job.access(Peer("cp1", CP1))))
    assert made.said == ["no answer yet: bootstrap etcd on cp1"]
