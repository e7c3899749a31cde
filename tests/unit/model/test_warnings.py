"""Warnings: each appears where it should, and a plain stack has none."""

from __future__ import annotations

from typing import Any

import pytest

import config
from model.warnings import CHECKS, advice
from tests.cases.stack_cases import ROOT, Case, stack_json

SEEN: dict[str, dict[str, Any]] = {
    "nodes: 2 control planes need a quorum of 2 for etcd and survive the loss of 0, as 1 would; "
    "use an odd number": {"without": ["nodes.2"]},
    "cilium.kubeProxyReplacement: strict is read as true, which is what today's charts call it": {
        "changes": {"cilium.kubeProxyReplacement": "strict"}
    },
    r"loadBalancer.interfaces.1: a dot matches any character; for a dot write ^eth0\.50$": {
        "changes": {"loadBalancer.interfaces": ["^eno1$", "^eth0.50$"]}
    },
    "loadBalancer.interfaces: an empty list announces on every link of Cilium, WireGuard and second cards "
    "included; leave the key out for the link of the LAN": {"changes": {"loadBalancer.interfaces": []}},
    "loadBalancer.leases: one node may have to renew 20 leases per second (100 Services / renewDeadline), "
    "so Cilium is allowed 30 requests per second; a longer renewDeadline asks for fewer": {
        "changes": {"loadBalancer.expectedServices": 100}
    },
    "loadBalancer.expectedServices: 1 is less than the 2 addresses asked for": {
        "changes": {
            "loadBalancer.expectedServices": 1,
            "loadBalancer.reservations": [{"namespace": "dns", "name": "resolver", "address": "10.0.50.201"}],
        }
    },
    "loadBalancer.cidr: 10.0.50.200/32 has no address left for a Service that does not ask for one": {
        "changes": {"loadBalancer.cidr": "10.0.50.200/32"}
    },
    "nodes.cp1.address: 10.0.50.11 is inside network.dhcpRange; reserve it in the DHCP server, or another "
    "machine may get it": {"changes": {"network.dhcpRange": {"start": "10.0.50.11", "stop": "10.0.50.11"}}},
    "endpoint.host: 10.0.50.11 is node cp1: the API is gone when that node is; "
    "use a vip, or a load balancer": {"changes": {"endpoint": {"host": "10.0.50.11"}}},
    "ingress.address: not reserved, because ingress.controller is none": {
        "changes": {"ingress.controller": "none"}
    },
    "ingress.controller: upstream archived Ingress Nginx in March 2026, it gets no security fixes; "
    "gateway gives the same address to a Gateway of Cilium (docs/ingress.md)": {
        "changes": {"ingress.controller": "nginx"}
    },
    "cilium.gatewayApi.enabled: the CRDs of the Gateway API v1.6.1 must exist before Cilium is released, "
    "see docs/ingress.md; the program waits for them": {"changes": {"cilium.gatewayApi": {"enabled": True}}},
    "versions.cilium: before 1.18.2 a change of a pool may move addresses of Services; use 1.18.2": {
        "changes": {"versions": {"talos": "v1.12.6", "kubernetes": "v1.33.4", "cilium": "1.18.1"}}
    },
    "nodes.cp1.patches.0.privateKey: is a secret in plain text, which every preview and the state show": {
        "changes": {
            "nodes.0.patches": [
                {"apiVersion": "v1alpha1", "kind": "WireguardConfig", "name": "wg0", "privateKey": "key"}
            ]
        }
    },
    "talos.resetOnDestroy: `pulumi destroy` will wipe every node of this stack": {
        "changes": {"talos.resetOnDestroy": True}
    },
}


def advice_of(**case: Any) -> tuple[str, ...]:  # noqa: ANN401 - the fields of a case
    return advice(config.parse(Case(**case).json()))


@pytest.mark.parametrize(("warning", "case"), SEEN.items())
def test_a_warning_appears_alone(warning: str, case: dict[str, Any]) -> None:
    assert advice_of(**case) == (warning,)


def test_each_check_has_a_warning_here() -> None:
    assert len(SEEN) == len(CHECKS)


def test_the_reference_stack_has_no_warning() -> None:
    """A person who copies it starts without noise."""
    assert advice(config.parse(stack_json(ROOT / "Pulumi.homelab.yaml"))) == ()


def test_two_addresses_less_count_for_a_pool_without_first_and_last() -> None:
    """In 10.0.50.200/30 without first and last two are left, both asked for."""
    changes = {
        "loadBalancer.cidr": "10.0.50.200/30",
        "loadBalancer.allowFirstLastIPs": False,
        "ingress.address": "10.0.50.201",
    }
    wish = {"namespace": "dns", "name": "resolver", "address": "10.0.50.202"}
    assert advice_of(changes=changes) == ()
    assert advice_of(changes={**changes, "loadBalancer.reservations": [wish]}) == (
        "loadBalancer.cidr: 10.0.50.200/30 has no address left for a Service that does not ask for one",
    )
