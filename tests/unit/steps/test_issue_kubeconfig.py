"""The kubeconfig that a control plane issues."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from steps.issue_kubeconfig import kubeconfig
from tests.unit.steps.steps_job import FOREIGN, UNAVAILABLE, Bench, failed, ok

CP1, CP2 = "10.0.50.11", "10.0.50.12"


def bench() -> Bench:
    return Bench({"CONTROL_PLANES": f"cp1={CP1} cp2={CP2}", "WORKERS": "w1=10.0.50.21"})


def test_the_first_control_plane_that_answers_gives_the_kubeconfig() -> None:
    made = bench()
    made.talos.on("kubeconfig", failed(FOREIGN), node=CP1)
    made.talos.on("kubeconfig", ok("apiVersion: v1\n"), node=CP2)
    assert kubeconfig(made.job) == "apiVersion: v1\n"
    assert made.said == []


def test_a_kubeconfig_is_waited_for() -> None:
    made = bench()
    made.talos.on("kubeconfig", failed(UNAVAILABLE), failed(UNAVAILABLE), ok("apiVersion: v1\n"))
    assert kubeconfig(made.job) == "apiVersion: v1\n"
    assert "waiting for a control plane to issue a kubeconfig" in made.text


def test_nobody_gives_a_kubeconfig() -> None:
    made = bench()
    made.talos.on("kubeconfig", failed("rpc error: code = PermissionDenied desc = not authorized"))
    with pytest.raises(OperationError) as caught:
        kubeconfig(made.job)
    assert str(caught.value) == (
        "no control plane gives a kubeconfig: "
        "cp1: PermissionDenied: not authorized; cp2: PermissionDenied: not authorized"
    )
