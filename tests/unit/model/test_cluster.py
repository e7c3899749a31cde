"""What the program derives from the config, so that a person states it once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

import config
from model.load_balancer import ClientRateLimit, LoadBalancer
from tests.cases import stack_cases

if TYPE_CHECKING:
    from model import Cluster


def valid(name: str) -> Cluster:
    return config.parse(stack_cases.valid()[name].json())


@pytest.mark.parametrize(
    ("stack", "url"),
    [
        ("untagged", "https://10.0.50.10:6443"),
        ("endpoint-host", "https://api.homelab.example:443"),
        ("single-node", "https://10.0.50.11:6443"),
    ],
)
def test_the_endpoint_is_a_url(stack: str, url: str) -> None:
    assert valid(stack).endpoint.url == url


def test_the_cluster_dns_is_the_tenth_service_address() -> None:
    assert str(valid("untagged").network.dns_address) == "10.96.0.10"


@pytest.mark.parametrize(
    ("stack", "control_planes", "workers", "announcing"),
    [
        ("untagged", "cp1 cp2 cp3", "w1 w2", "w1 w2"),
        ("tagged-all-announce", "cp1", "w1", "cp1 w1"),
        ("single-node", "cp1", "", "cp1"),
        ("three-and-none", "cp1 cp2 cp3", "", "cp1 cp2 cp3"),
        ("one-and-three", "cp1", "w1 w2 w3", "w1 w2 w3"),
        ("disk-by-selector", "cp1 cp2 cp3", "w1 w2", "w1"),
    ],
)
def test_nodes_are_sorted_into_their_parts(
    stack: str, control_planes: str, workers: str, announcing: str
) -> None:
    """Workers announce, or all where there are none, or those that the selector names."""
    cluster = valid(stack)
    names = [
        " ".join(node.name for node in nodes)
        for nodes in (cluster.control_planes, cluster.workers, cluster.announcing_nodes)
    ]
    assert names == [control_planes, workers, announcing]


@pytest.mark.parametrize(
    ("stack", "interfaces"),
    [
        ("untagged", ("^eno1$",)),
        ("tagged", ("^vlan50$",)),
        ("cards-by-mac", ("^en[op][0-9]+$",)),
    ],
)
def test_the_policy_gets_the_link_of_the_lan(stack: str, interfaces: tuple[str, ...]) -> None:
    assert valid(stack).interfaces == interfaces


def test_a_dot_in_a_link_name_is_escaped() -> None:
    """eth0.50 is one link, not every link with some character there."""
    document = stack_cases.valid()["untagged"].cluster()
    document["nodes"][3]["interface"] = {"name": "eth0.50"}
    assert config.parse(json.dumps(document)).interfaces == ("^eno1$", r"^eth0\.50$")


@pytest.mark.parametrize(
    ("stack", "requested"),
    [
        ("untagged", ["ingress-nginx/ingress-nginx-controller=10.0.50.200"]),
        ("flux-owner", ["ingress-nginx/ingress-nginx-controller=10.0.50.200"]),
        ("without-ingress", []),
        (
            "reservations",
            [
                "ingress-nginx/ingress-nginx-controller=10.0.50.200",
                "dns/resolver=10.0.50.201",
                "media/stream=10.0.50.207",
            ],
        ),
    ],
)
def test_requested_addresses_start_with_the_ingress(stack: str, requested: list[str]) -> None:
    wishes = valid(stack).requested
    assert [f"{wish.namespace}/{wish.name}={wish.address}" for wish in wishes] == requested


@pytest.mark.parametrize(
    ("stack", "schedule"), [("untagged", False), ("single-node", True), ("three-and-none", True)]
)
def test_pods_run_on_control_planes_where_there_is_no_worker(stack: str, schedule: bool) -> None:  # noqa: FBT001
    assert valid(stack).schedule_on_control_planes is schedule


def test_scheduling_on_control_planes_can_be_chosen() -> None:
    document = stack_cases.valid()["untagged"].cluster()
    document["talos"] = {"scheduleOnControlPlanes": True}
    assert config.parse(json.dumps(document)).schedule_on_control_planes is True


@pytest.mark.parametrize(
    ("services", "deadline", "limit"),
    [
        (8, "5s", ClientRateLimit(qps=20, burst=40)),
        (8, "1s", ClientRateLimit(qps=20, burst=40)),
        (40, "5s", ClientRateLimit(qps=20, burst=40)),
        (51, "5s", ClientRateLimit(qps=21, burst=42)),
        (40, "1s", ClientRateLimit(qps=50, burst=100)),
        (10, "300ms", ClientRateLimit(qps=44, burst=88)),
        (1, "100ms", ClientRateLimit(qps=20, burst=40)),
    ],
)
def test_the_client_rate_limit_leaves_room_for_renewals(
    services: int, deadline: str, limit: ClientRateLimit
) -> None:
    """Services / renewDeadline on one node, plus the agent's own ten, at least twenty."""
    text = json.dumps(
        {"cidr": "10.0.50.200/29", "expectedServices": services, "leases": {"renewDeadline": deadline}}
    )
    assert LoadBalancer.model_validate_json(text).client_rate_limit == limit


def test_a_cluster_cannot_be_changed() -> None:
    """What was checked stays checked."""
    with pytest.raises(ValidationError, match="Instance is frozen"):
        valid("untagged").name = "other"  # type: ignore[misc]
