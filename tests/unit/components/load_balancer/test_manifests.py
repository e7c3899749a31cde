"""Pools and policy: each requested address for its Service alone, the rest for everybody, nothing twice."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from components.load_balancer.manifests import (
    KEPT_BY_FLUX,
    free_spans,
    l2_policy,
    manifests,
    pool_api_version,
    pools,
    subtract,
    usable_ends,
)
from tests.golden.documents import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Cluster


def spans(found: list[tuple[IPv4Address, IPv4Address]]) -> list[str]:
    return [f"{first}-{last}" for first, last in found]


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ([], ["10.0.0.0-10.0.0.7"]),
        ([0], ["10.0.0.1-10.0.0.7"]),
        ([7], ["10.0.0.0-10.0.0.6"]),
        ([3], ["10.0.0.0-10.0.0.2", "10.0.0.4-10.0.0.7"]),
        ([4, 3], ["10.0.0.0-10.0.0.2", "10.0.0.5-10.0.0.7"]),
        ([0, 2, 4, 6], ["10.0.0.1-10.0.0.1", "10.0.0.3-10.0.0.3", "10.0.0.5-10.0.0.5", "10.0.0.7-10.0.0.7"]),
        ([5, 5], ["10.0.0.0-10.0.0.4", "10.0.0.6-10.0.0.7"]),
        ([200], ["10.0.0.0-10.0.0.7"]),
        (list(range(8)), []),
    ],
)
def test_the_rest_of_a_range_is_exact(taken: list[int], left: list[str]) -> None:
    start = IPv4Address("10.0.0.0")
    assert spans(subtract(start, start + 7, [start + number for number in taken])) == left


@pytest.mark.parametrize(
    ("network", "allowed", "ends"),
    [
        ("10.0.50.200/29", True, ("10.0.50.200", "10.0.50.207")),
        ("10.0.50.200/29", False, ("10.0.50.201", "10.0.50.206")),
        ("10.0.50.200/30", False, ("10.0.50.201", "10.0.50.202")),
        ("10.0.50.200/31", False, ("10.0.50.200", "10.0.50.201")),
        ("10.0.50.200/32", False, ("10.0.50.200", "10.0.50.200")),
    ],
)
def test_the_ends_of_a_range_follow_the_rule_of_cilium(
    network: str, allowed: object, ends: tuple[str, str]
) -> None:
    """LB-IPAM never sets the ends of a /31 or a /32 aside."""
    found = usable_ends(IPv4Network(network), allow_first_last=bool(allowed))
    assert tuple(map(str, found)) == ends


def test_a_requested_address_is_for_its_service_alone() -> None:
    """Without a pool of its own the first Service that requests no address would take it."""
    general, ingress, *_ = pools(load("untagged"))
    assert general["spec"] == {"blocks": [{"start": "10.0.50.201", "stop": "10.0.50.207"}]}
    assert ingress == {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": "ingress-nginx-controller.ingress-nginx", "annotations": KEPT_BY_FLUX},
        "spec": {
            "blocks": [{"start": "10.0.50.200", "stop": "10.0.50.200"}],
            "serviceSelector": {
                "matchLabels": {
                    "io.kubernetes.service.namespace": "ingress-nginx",
                    "io.kubernetes.service.name": "ingress-nginx-controller",
                },
            },
        },
    }


def test_first_and_last_address_are_left_out_where_the_config_says_so() -> None:
    assert spans(free_spans(load("without-first-and-last"))) == ["10.0.50.202-10.0.50.206"]


def test_two_services_never_share_a_pools_name(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    """Neither do they take the name of the general pool."""
    reservations = [
        {"namespace": "a-b", "name": "c", "address": "10.0.50.201"},
        {"namespace": "b", "name": "c-a", "address": "10.0.50.202"},
        {"namespace": "homelab", "name": "homelab", "address": "10.0.50.203"},
    ]
    names = [
        manifest["metadata"]["name"]
        for manifest in pools(make_cluster({"loadBalancer": {"reservations": reservations}}))
    ]
    assert names == [
        "homelab",
        "ingress-nginx-controller.ingress-nginx",
        "c.a-b",
        "c-a.b",
        "homelab.homelab",
    ]


@pytest.mark.parametrize(
    ("cilium", "api_version"),
    [
        ("1.17.9", "cilium.io/v2alpha1"),
        ("1.18.0", "cilium.io/v2"),
        ("1.19.4", "cilium.io/v2"),
        ("1.20.2", "cilium.io/v2"),
        ("2.0.0", "cilium.io/v2"),
    ],
)
def test_pools_have_the_newest_version_that_cilium_serves(cilium: str, api_version: str) -> None:
    assert pool_api_version(cilium) == api_version


def test_the_policy_has_only_one_version() -> None:
    for stack in ("untagged", "older-releases"):
        assert l2_policy(load(stack))["apiVersion"] == "cilium.io/v2alpha1"


@pytest.mark.parametrize(
    ("stack", "spec"),
    [
        (
            "untagged",
            {
                "loadBalancerIPs": True,
                "interfaces": ["^eno1$"],
                "nodeSelector": {
                    "matchExpressions": [
                        {"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"},
                    ],
                },
            },
        ),
        ("single-node", {"loadBalancerIPs": True, "interfaces": ["^eno1$"]}),
        (
            "tagged-all-announce",
            {
                "loadBalancerIPs": True,
                "interfaces": ["^vlan50$"],
                "nodeSelector": {"matchLabels": {"kubernetes.io/os": "linux"}},
            },
        ),
    ],
)
def test_the_policy_selects_the_announcing_nodes_and_their_link(stack: str, spec: dict[str, Any]) -> None:
    """Where every node is a control plane, a selector without them would announce nothing."""
    assert l2_policy(load(stack))["spec"] == spec


def test_a_policy_without_known_links_takes_all_of_cilium(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    policy = l2_policy(make_cluster({"loadBalancer": {"interfaces": []}}))
    assert "interfaces" not in policy["spec"]


def test_everything_is_made_in_one_order() -> None:
    """The general pool gives an address up before another pool has it."""
    kinds = [manifest["kind"] for manifest in manifests(load("reservations"))]
    assert kinds == ["CiliumLoadBalancerIPPool"] * 4 + ["CiliumL2AnnouncementPolicy"]
    assert manifests(load("reservations"))[0]["metadata"]["name"] == "homelab"
