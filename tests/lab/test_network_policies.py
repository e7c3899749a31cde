"""Baseline policies: the real API server takes them, with the definitions of the real operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.test_load_balancer import client, config

if TYPE_CHECKING:
    from lab import report
    from tests.lab.conftest import Run

__all__ = ["client"]  # a fixture

pytestmark = pytest.mark.lab


def test_a_namespace_is_closed_and_opened_again(lab: Run, client: report.Client) -> None:
    with config(lab, cilium__networkPolicies={"defaultDeny": ["lab-demo"]}):
        lab.up()
        policy = client.get("ciliumnetworkpolicy", "default-deny", "--namespace=lab-demo")
        assert policy["spec"]["ingress"] == [{}]
        assert policy["spec"]["egress"][0]["toEndpoints"] == [
            {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}}
        ]
    lab.up()
    assert client.get("ciliumnetworkpolicies", "--all-namespaces")["items"] == []
