"""Why an assigned address may not answer: each cause with its words."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

import pytest

from ops.diagnosis import unannounced
from ops.facts import KubernetesNode, Lease, Link, Policy, Requirement, Seen, Selector, Service

LAN = IPv4Network("10.0.50.0/24")
NOT_CONTROL_PLANE = Selector((Requirement("control-plane", "DoesNotExist"),))
POLICY = Policy("homelab", ("^vlan50$",), NOT_CONTROL_PLANE)
WEB = Service(
    namespace="shop",
    name="web",
    addresses=(IPv4Address("10.0.50.201"),),
    backend_nodes=frozenset({"w1"}),
    backend_addresses=frozenset({"10.244.3.7"}),
)
VLAN = Link("vlan50", (IPv4Interface("10.0.50.21/24"),))
SEEN = Seen(
    nodes=(KubernetesNode("cp1", {"control-plane": ""}), KubernetesNode("w1", {}), KubernetesNode("w2", {})),
    policies=(POLICY,),
    services=(WEB,),
    leases={WEB.key: Lease("w1")},
    links={"w1": (VLAN,)},
)


def causes(service: Service = WEB, seen: Seen = SEEN, cilium: str = "1.20.2") -> list[str]:
    found = list(unannounced.unannounced(service, seen, LAN, cilium))
    assert all(finding.advice for finding in found)
    return [finding.cause for finding in found]


def test_an_address_that_should_answer() -> None:
    assert causes() == []


@pytest.mark.parametrize(
    "policies",
    [(), (replace(POLICY, load_balancer_ips=False),), (replace(POLICY, services=NOT_CONTROL_PLANE),)],
    ids=["none", "not for load balancers", "for other Services"],
)
def test_no_policy_announces_it(policies: tuple[Policy, ...]) -> None:
    service = replace(WEB, labels={"control-plane": ""})
    names = "homelab" if policies else "none"
    assert causes(service, replace(SEEN, policies=policies)) == [
        f"no L2 policy with loadBalancerIPs selects shop/web (policies: {names})"
    ]


def test_a_broken_policy_is_said_beside_other_causes() -> None:
    seen = replace(SEEN, policies=(replace(POLICY, faults=("bad-interface-regex: x",)),))
    assert causes(seen=seen) == ["policy homelab: bad-interface-regex: x"]


def test_the_policy_selects_no_node() -> None:
    seen = replace(SEEN, nodes=SEEN.nodes[:1])
    assert causes(seen=seen) == ["the policy selects no node (homelab: control-plane DoesNotExist)"]


def test_local_without_a_backend_on_an_announcing_node() -> None:
    service = replace(WEB, local=True, backend_nodes=frozenset({"cp1"}))
    assert causes(service) == [
        "externalTrafficPolicy Local: its pods run on cp1, the policy selects w1, w2",
    ]
    assert causes(replace(service, backend_nodes=frozenset({"w2"}))) == []


def test_local_before_cilium_followed_it() -> None:
    assert causes(replace(WEB, local=True), cilium="1.20.1") == [
        "Cilium 1.20.1 announces externalTrafficPolicy Local from any node, with or without a pod"
    ]


def test_no_pod_is_ready() -> None:
    assert causes(replace(WEB, backend_addresses=frozenset(), backend_nodes=frozenset())) == [
        "no pod behind it is ready"
    ]


def test_ciliums_own_gateway_with_local() -> None:
    gateway = replace(WEB, backend_addresses=frozenset({"192.192.192.192"}), backend_nodes=frozenset())
    assert causes(gateway) == []
    (cause,) = causes(replace(gateway, local=True))
    assert cause.startswith("it belongs to a Cilium Gateway or Ingress, whose one backend is on no node")


def test_the_lease_says_why() -> None:
    seen = replace(SEEN, leases={WEB.key: Lease("", "lease x does not exist")})
    assert causes(seen=seen) == ["lease x does not exist"]
    assert causes(seen=replace(SEEN, leases={})) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, []),
        ({"l2-announcements-renew-deadline": "1s"}, []),
        (
            {"l2-announcements-renew-deadline": "200ms"},
            ["leases alone may need 15 of the 10 requests a second that an agent has: they flap"],
        ),
        ({"l2-announcements-renew-deadline": "200ms", "k8s-client-qps": "40"}, []),
        (
            {"k8s-client-qps": "1"},
            ["leases alone may need 0.6 of the 1 requests a second that an agent has: they flap"],
        ),
        ({"k8s-client-qps": "?", "l2-announcements-renew-deadline": "soon"}, []),
    ],
)
def test_the_clients_rate_limit(settings: dict[str, str], expected: list[str]) -> None:
    three = (WEB, replace(WEB, name="b"), replace(WEB, name="c"), replace(WEB, name="d", addresses=()))
    assert causes(seen=replace(SEEN, services=three, settings=settings)) == expected


def seen_with(*links: Link, **policy: Any) -> Seen:  # noqa: ANN401
    return replace(SEEN, links={"w1": links}, policies=(replace(POLICY, **policy),))


def test_the_expression_matches_no_link() -> None:
    assert causes(seen=seen_with(Link("eno1", VLAN.addresses), Link("lo"))) == [
        "^vlan50$ matches no link of w1 (eno1, lo): it may hold the lease, but does not answer ARP"
    ]


def test_the_node_has_no_address_in_the_lan() -> None:
    assert causes(seen=seen_with(Link("vlan50"))) == [
        "w1 has no address in 10.0.50.0/24 on vlan50: it may answer ARP, but not IP"
    ]


def test_two_cards_in_one_lan() -> None:
    second = Link("eno2", (IPv4Interface("10.0.50.31/24"),))
    assert causes(seen=seen_with(VLAN, second)) == []
    assert causes(seen=seen_with(VLAN, second, interfaces=())) == [
        "w1 has vlan50, eno2 in 10.0.50.0/24, all announced: the MAC address flaps"
    ]


def test_durations_as_the_configmap_has_them() -> None:
    assert [unannounced.seconds(text, 5.0) for text in ("15s", "200ms", "1m", "1h", None, "1m30s")] == [
        15.0,
        0.2,
        60.0,
        3600.0,
        5.0,
        5.0,
    ]
