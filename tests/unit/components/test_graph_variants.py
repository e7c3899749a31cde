"""What the program registers where the config chooses: owners, controllers, Gateways, policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.components.graph_names import CILIUM, GENERAL, GUARD, POOL, RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recording import Graph


def test_flux_owns_the_pool_alone(run_main: Callable[..., Graph]) -> None:
    """The program creates neither pool nor policy; the Service still waits for Cilium."""
    graph = run_main({"loadBalancer": {"owner": "flux"}})
    assert {name for name in graph.resources if graph.parent(name) == "load-balancer"} == set()
    assert graph["load-balancer"].outputs == {"cidr": "10.0.50.200/29"}
    assert CILIUM - graph.waits_for("ingress-service") == set()


def test_namespaces_are_closed_only_where_asked_for_and_when_the_kind_exists(
    run_main: Callable[..., Graph],
) -> None:
    graph = run_main({"cilium": {"networkPolicies": {"defaultDeny": ["web", "ingress-nginx"]}}})
    policies = ["network-policies-default-deny-ingress-nginx", "network-policies-default-deny-web"]
    children = {name for name in graph.resources if graph.parent(name) == "network-policies"}
    assert children == {"network-policies-crds", *policies}
    environment = graph["network-policies-crds"].inputs["environment"]
    assert environment["CRDS"] == "ciliumnetworkpolicies.cilium.io"
    for name in policies:
        assert graph.waits_for(name) >= {"network-policies-crds", "cilium-ready", "ingress-namespace"}
    assert graph[policies[1]].inputs["metadata"] == {"name": "default-deny", "namespace": "web"}
    spec = graph[policies[1]].inputs["spec"]
    assert spec["endpointSelector"] == {}
    assert spec["ingress"] == [{}]
    (rule,) = spec["egress"]
    assert rule["toEndpoints"][0]["matchLabels"]["k8s:k8s-app"] == "kube-dns"
    assert [port["protocol"] for port in rule["toPorts"][0]["ports"]] == ["UDP", "TCP"]


def test_nginx_is_a_release_with_the_same_gates(run_main: Callable[..., Graph]) -> None:
    graph = run_main({"ingress": {"controller": "nginx"}, "loadBalancer": {"verifyLease": True}})
    children = {name for name in graph.resources if graph.parent(name) == "ingress"}
    assert children == {"ingress-namespace", "ingress-release", "ingress-address", "ingress-lease"}
    inputs = graph["ingress-release"].inputs
    assert (inputs["name"], inputs["version"], inputs["namespace"]) == (
        "ingress-nginx",
        "4.14.2",
        "ingress-nginx",
    )
    assert inputs["skipAwait"] is True
    assert graph.waits_for("ingress-address") >= {"ingress-release", *POOL}


def test_a_gateway_is_proven_by_the_service_that_cilium_makes(run_main: Callable[..., Graph]) -> None:
    changes = {
        "ingress": {"controller": "gateway", "name": "lan"},
        "cilium": {"gatewayApi": {"enabled": True}},
    }
    graph = run_main(changes)
    assert graph["ingress-gateway"].type == "kubernetes:gateway.networking.k8s.io/v1:Gateway"
    environment = graph["ingress-address"].inputs["environment"]
    assert environment["SERVICE"] == "ingress-nginx/cilium-gateway-lan"
    assert graph[GUARD].inputs["environment"]["REQUESTS"] == "ingress-nginx/cilium-gateway-lan=10.0.50.200"


@pytest.mark.parametrize("controller", ["external", "none"])
def test_a_service_of_somebody_else_is_not_created(run_main: Callable[..., Graph], controller: str) -> None:
    graph = run_main({"ingress": {"controller": controller}})
    assert {name for name in graph.resources if graph.parent(name) == "ingress"} == set()


def test_an_external_service_keeps_its_reservation(run_main: Callable[..., Graph]) -> None:
    assert RESERVED in run_main({"ingress": {"controller": "external"}}).resources
    assert RESERVED not in run_main({"ingress": {"controller": "none"}}).resources


def test_gateways_wait_for_their_kinds_before_cilium_looks_for_them(run_main: Callable[..., Graph]) -> None:
    graph = run_main({"cilium": {"gatewayApi": {"enabled": True}}})
    environment = graph["cilium-gateway-crds"].inputs["environment"]
    assert graph["cilium-gateway-crds"].inputs["create"] == "crds-established"
    assert environment["CRDS"].split()[1] == "gateways.gateway.networking.k8s.io"
    assert "the CRDs of the Gateway API v1.6.1 before Cilium" in environment["CHECK"]
    assert "cilium-gateway-crds" in graph.waits_for("cilium-release")


def test_the_lease_is_the_last_gate(run_main: Callable[..., Graph]) -> None:
    graph = run_main({"loadBalancer": {"verifyLease": True}})
    assert graph["ingress-lease"].inputs["create"] == "lease-held"
    assert graph["ingress-lease"].inputs["environment"] == {
        "SERVICE": "ingress-nginx/ingress-nginx-controller",
        "STEP_TIMEOUT": "120",
    }
    assert "ingress-address" in graph.waits_for("ingress-lease")


def test_a_namespace_that_every_cluster_has_is_not_created(run_main: Callable[..., Graph]) -> None:
    graph = run_main({"ingress": {"namespace": "default"}})
    assert "ingress-namespace" not in graph.resources
    assert graph["ingress-service"].inputs["metadata"]["namespace"] == "default"


def test_a_range_that_is_all_requested_has_no_general_pool(run_main: Callable[..., Graph]) -> None:
    graph = run_main({"loadBalancer": {"cidr": "10.0.50.200/32"}})
    assert GENERAL not in graph.resources
    assert graph.waits_for("load-balancer-pool-valid") >= {RESERVED}
