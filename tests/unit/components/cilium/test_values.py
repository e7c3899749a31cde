"""Helm values of Cilium: what the program decides, and how the user's values join them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components.cilium.values import helm_values, merge, program_values
from tests.golden.documents import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Cluster


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"d": 2}}}, {"a": {"b": {"c": 1, "d": 2}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": "text"}),
        ({"a": "text"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_values_merge_as_helm_merges_them(
    base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any]
) -> None:
    """Maps are merged, lists and everything else replaced."""
    before = repr((base, over))
    assert merge(base, over) == merged
    assert repr((base, over)) == before


def test_user_values_extend_the_programs(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    cluster = make_cluster({"cilium": {"values": {"debug": {"enabled": True}, "operator": {"priority": 1}}}})
    values = helm_values(cluster)
    assert values["debug"] == {"enabled": True}
    assert values["operator"] == {
        "replicas": 2,
        "rollOutPods": True,
        "prometheus": {"enabled": False},
        "priority": 1,
    }
    assert values["ipam"] == {"mode": "kubernetes"}


@pytest.mark.parametrize(("count", "replicas"), [(1, 1), (3, 2), (5, 2)])
def test_operator_replicas_never_outnumber_the_nodes(
    make_cluster: Callable[[dict[str, Any]], Cluster], base: dict[str, Any], count: int, replicas: int
) -> None:
    """They exclude each other on a node."""
    cluster = make_cluster({"nodes": base["nodes"][:count]})
    assert program_values(cluster)["operator"]["replicas"] == replicas


@pytest.mark.parametrize("cilium", [{"kubeProxyReplacement": True}, {"kubeProxyReplacement": "strict"}, {}])
def test_both_vocabularies_mean_the_same(
    make_cluster: Callable[[dict[str, Any]], Cluster], cilium: dict[str, Any]
) -> None:
    """The chart takes only `true`; a stack may still say `strict`."""
    assert program_values(make_cluster({"cilium": cilium}))["kubeProxyReplacement"] == "true"


def test_lease_times_are_go_durations_and_size_the_rate_limit(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    leases = {"duration": "3s", "renewDeadline": "1s", "retryPeriod": "200ms"}
    values = program_values(make_cluster({"loadBalancer": {"leases": leases, "expectedServices": 40}}))
    assert values["l2announcements"] == {
        "enabled": True,
        "leaseDuration": "3s",
        "leaseRenewDeadline": "1s",
        "leaseRetryPeriod": "200ms",
    }
    assert values["k8sClientRateLimit"] == {"qps": 50, "burst": 100}


@pytest.mark.parametrize(
    ("hubble", "parts"),
    [
        ({"enabled": True}, (False, False)),
        ({"enabled": True, "relay": True}, (True, False)),
        ({"enabled": True, "relay": True, "ui": True}, (True, True)),
    ],
)
def test_hubble_keeps_its_certificates_between_renders(
    make_cluster: Callable[[dict[str, Any]], Cluster], hubble: dict[str, bool], parts: tuple[bool, bool]
) -> None:
    values = program_values(make_cluster({"cilium": {"hubble": hubble}}))["hubble"]
    assert values["tls"] == {"auto": {"enabled": True, "method": "cronJob"}}
    assert (values["relay"]["enabled"], values["ui"]["enabled"]) == parts


def test_hubble_is_off_by_default(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    assert program_values(make_cluster({}))["hubble"] == {"enabled": False}


def test_modules_cannot_be_loaded_by_the_agent(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    """Talos takes the capability from every container, and one that asks for it does not start."""
    capabilities = program_values(make_cluster({}))["securityContext"]["capabilities"]
    assert "SYS_MODULE" not in capabilities["ciliumAgent"] + capabilities["cleanCiliumState"]


@pytest.mark.parametrize(
    ("cilium", "expected"),
    [
        ({}, {"routingMode": "tunnel"}),
        (
            {"routingMode": "native"},
            {
                "routingMode": "native",
                "ipv4NativeRoutingCIDR": "10.244.0.0/16",
                "autoDirectNodeRoutes": True,
            },
        ),
        ({"devices": ["eno1"]}, {"devices": ["eno1", "vlan50"]}),
        ({"devices": ["vlan50", "eno1"]}, {"devices": ["vlan50", "eno1"]}),
        ({"encryption": "wireguard"}, {"encryption": {"enabled": True, "type": "wireguard"}}),
        (
            {"bandwidthManager": {"enabled": True}},
            {"bandwidthManager": {"enabled": True, "bbr": False}},
        ),
        (
            {"gatewayApi": {"enabled": True}},
            {"gatewayAPI": {"enabled": True, "gatewayClass": {"create": "true"}}},
        ),
        ({"metrics": {"agent": True}}, {"prometheus": {"enabled": True}}),
    ],
)
def test_each_option_sets_what_belongs_to_it_and_no_more(
    make_cluster: Callable[[dict[str, Any]], Cluster], cilium: dict[str, Any], expected: dict[str, Any]
) -> None:
    plain = {**program_values(make_cluster({})), "routingMode": "tunnel"}
    values = program_values(make_cluster({"cilium": cilium}))
    assert values == {**plain, **expected}


def test_untagged_devices_are_taken_as_they_are() -> None:
    cluster = load("untagged")
    cilium = cluster.cilium.model_copy(update={"devices": ("eno1", "eno2")})
    assert program_values(cluster.model_copy(update={"cilium": cilium}))["devices"] == ["eno1", "eno2"]


def test_the_operator_is_measured_and_counted_as_configured(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    values = program_values(make_cluster({"cilium": {"operatorReplicas": 3, "metrics": {"operator": True}}}))
    assert values["operator"] == {"replicas": 3, "rollOutPods": True, "prometheus": {"enabled": True}}


def test_metrics_of_flows_are_listed(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    values = program_values(make_cluster({"cilium": {"hubble": {"enabled": True, "metrics": ["dns"]}}}))
    assert values["hubble"]["metrics"] == {"enabled": ["dns"]}
