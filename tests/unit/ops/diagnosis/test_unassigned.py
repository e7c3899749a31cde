"""Why a Service has no address: each cause with its words."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from ops.diagnosis import sharing, unassigned
from ops.facts import Block, Pool, Port, Requirement, Seen, Selector, Service

FIRST, SECOND = IPv4Address("10.0.50.200"), IPv4Address("10.0.50.201")
GENERAL = Pool("homelab", (Block(SECOND, IPv4Address("10.0.50.207")),), available=7)
ONLY_INGRESS = Selector(
    (
        Requirement("io.kubernetes.service.namespace", "In", ("ingress-nginx",)),
        Requirement("io.kubernetes.service.name", "In", ("controller",)),
    )
)
RESERVED = Pool("controller.ingress-nginx", (Block(FIRST, FIRST),), ONLY_INGRESS, available=1)
WEB = Service(namespace="shop", name="web", ports=(Port(80),))
INGRESS = Service(namespace="ingress-nginx", name="controller", requested=(FIRST,), ports=(Port(80),))
SEEN = Seen(pools=(GENERAL, RESERVED))


def cause(service: Service, seen: Seen = SEEN) -> str:
    found = list(unassigned.unassigned(service, replace(seen, services=(service, *seen.services))))
    assert len(found) == 1, found
    assert found[0].advice
    return found[0].cause


def test_a_service_with_what_it_asked_for_has_no_cause() -> None:
    assert list(unassigned.unassigned(replace(WEB, addresses=(SECOND,)), SEEN)) == []
    assert list(unassigned.unassigned(replace(INGRESS, addresses=(FIRST,)), SEEN)) == []


def test_a_class_of_another_controller() -> None:
    assert cause(replace(WEB, load_balancer_class="metallb")) == (
        "loadBalancerClass metallb belongs to another controller than Cilium"
    )


def test_no_pool_at_all() -> None:
    assert cause(WEB, Seen()) == "there is no pool at all"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"disabled": True}, "pool homelab is disabled"),
        ({"lacks": "pool homelab is in conflict: x"}, "pool homelab is in conflict: x"),
    ],
)
def test_its_pool_cannot_be_used(change: dict[str, Any], words: str) -> None:
    assert cause(WEB, Seen(pools=(replace(GENERAL, **change),))) == words


def test_it_asks_for_what_no_pool_has() -> None:
    outside = replace(WEB, requested=(IPv4Address("10.0.50.199"),), reason="no_pool")
    assert cause(outside) == "it asks for 10.0.50.199, which no pool may give away"


def test_another_service_was_first() -> None:
    thief = replace(WEB, addresses=(FIRST,))
    waiting = replace(INGRESS, reason="already_allocated")
    assert cause(waiting, replace(SEEN, services=(thief,))) == "10.0.50.200 is held by shop/web"


def test_it_wanted_to_share() -> None:
    holder = replace(INGRESS, addresses=(FIRST,), sharing_key="a")
    guest = replace(INGRESS, name="guest", sharing_key="b")
    assert cause(guest, replace(SEEN, services=(holder,))) == (
        "it cannot share 10.0.50.200 with ingress-nginx/controller: sharing keys differ (b and a)"
    )


def test_it_may_share_but_the_pool_is_for_another() -> None:
    """A guest of the same key: the clash is not the cause, the selector of the pool is."""
    holder = replace(INGRESS, addresses=(FIRST,), sharing_key="a")
    guest = replace(holder, name="guest", addresses=(), ports=(Port(443),))
    assert cause(guest, replace(SEEN, services=(holder,))).startswith(
        "pool controller.ingress-nginx is only for Services with io.kubernetes.service.namespace In"
    )


def test_a_thief_asks_for_a_reserved_address() -> None:
    thief = replace(WEB, requested=(FIRST,), reason="pool_selector_mismatch")
    assert cause(thief) == (
        "pool controller.ingress-nginx is only for Services with "
        "io.kubernetes.service.namespace In (ingress-nginx), io.kubernetes.service.name In (controller)"
    )


def test_no_pool_is_for_it() -> None:
    assert cause(WEB, Seen(pools=(RESERVED,))).startswith("pool controller.ingress-nginx is only for")


@pytest.mark.parametrize(
    ("available", "reason"),
    [(0, ""), (None, "out_of_ips")],
    ids=["by the pool's count", "by Cilium's reason"],
)
def test_every_address_is_used(available: int | None, reason: str) -> None:
    users = tuple(replace(WEB, name=f"s{n}", addresses=(SECOND + n,)) for n in range(7))
    seen = Seen(pools=(replace(GENERAL, available=available), RESERVED), services=users)
    assert cause(replace(WEB, reason=reason), seen) == (
        "no free address in homelab; in use by shop/s0, shop/s1, shop/s2, shop/s3, shop/s4, shop/s5, shop/s6"
    )


def test_the_operator_has_said_nothing() -> None:
    assert cause(replace(WEB, judged=False)) == "cilium-operator has not judged it"
    assert cause(replace(INGRESS, judged=False)) == "cilium-operator has not judged it"
    assert cause(replace(WEB, reason="new_reason")) == "cilium-operator says new_reason"
    assert cause(WEB, replace(SEEN, operator_lacks="it does not exist")) == (
        "cilium-operator gives addresses, and it does not exist"
    )


def test_every_address_of_two_must_be_there() -> None:
    half = replace(WEB, requested=(SECOND, SECOND + 1), addresses=(SECOND,), reason="already_allocated")
    other = replace(WEB, name="other", addresses=(SECOND + 1,))
    assert cause(half, replace(SEEN, services=(other,))) == "10.0.50.202 is held by shop/other"


A = replace(WEB, sharing_key="k")
B = replace(A, name="b", ports=(Port(443),))


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (A, B, ""),
        (A, replace(B, sharing_key=""), "sharing keys differ (k and none)"),
        (
            A,
            replace(B, namespace="x"),
            "they are in different namespaces and do not both name the other in sharing-cross-namespace",
        ),
        (
            replace(A, sharing_namespaces=("x",)),
            replace(B, namespace="x"),
            "they are in different namespaces and do not both name the other in sharing-cross-namespace",
        ),
        (replace(A, sharing_namespaces=("x",)), replace(B, namespace="x", sharing_namespaces=("*",)), ""),
        (A, replace(B, ports=(Port(53, "UDP"), Port(80))), "both have port 80/TCP"),
        (A, replace(B, ports=(Port(80, "UDP"),)), ""),
        (A, replace(B, local=True), "one has externalTrafficPolicy Local, the other Cluster"),
        (
            replace(A, local=True),
            replace(B, local=True),
            "with externalTrafficPolicy Local both must select the same pods",
        ),
        (replace(A, local=True, pods=ONLY_INGRESS), replace(B, local=True, pods=ONLY_INGRESS), ""),
    ],
)
def test_who_may_share_an_address(one: Service, other: Service, reason: str) -> None:
    assert sharing.clash(one, other) == reason
