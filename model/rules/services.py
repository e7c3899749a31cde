"""Rules of the Services that ask for an address, and of the ingress among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.rules.address_claims import of_services, repeated
from model.versions import LOCAL_TRAFFIC_POLICY_SINCE, release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.ingress import Ingress
    from model.load_balancer import LoadBalancer
    from model.versions import Versions

# Cilium never sets first and last aside in a /31 or /32.
_SMALLEST_WITH_EDGES = 30


def ingress_has_an_address(ingress: Ingress) -> Iterator[Fault]:
    """The point of the ingress Service is its address."""
    if ingress.controller != "none" and ingress.address is None:
        yield Fault("ingress.address", "set the address it asks for, or set ingress.controller to none")


def requested_addresses_are_in_the_pool(load_balancer: LoadBalancer, ingress: Ingress) -> Iterator[Fault]:
    """A request outside the pool stays pending for ever."""
    for claim in of_services(load_balancer, ingress):
        if claim.address not in load_balancer.cidr:
            yield Fault(claim.path, f"{claim.address} is not inside loadBalancer.cidr {load_balancer.cidr}")


def requested_addresses_are_unique(load_balancer: LoadBalancer, ingress: Ingress) -> Iterator[Fault]:
    """An address is reserved for one Service."""
    for claim, earlier in repeated(of_services(load_balancer, ingress)):
        yield Fault(
            claim.path,
            f"{claim.address} is asked for by {claim.owner} and {earlier.owner} ({earlier.path}): change one",
        )


def requesting_services_are_unique(load_balancer: LoadBalancer, ingress: Ingress) -> Iterator[Fault]:
    """A Service is reserved one address."""
    seen: dict[str, str] = {}
    for claim in of_services(load_balancer, ingress):
        path = claim.path.removesuffix(".address")
        if claim.owner in seen:
            yield Fault(path, f"{claim.owner} already asks for an address at {seen[claim.owner]}: remove one")
        # The first claim is the one that a person keeps.
        seen.setdefault(claim.owner, path)


def requested_addresses_may_be_given(load_balancer: LoadBalancer, ingress: Ingress) -> Iterator[Fault]:
    """Without first and last, a request for one of them stays pending or crashes Cilium's operator."""
    pool = load_balancer.cidr
    if load_balancer.allow_first_last_ips or pool.prefixlen > _SMALLEST_WITH_EDGES:
        return
    edges = {pool.network_address: "first", pool.broadcast_address: "last"}
    for claim in of_services(load_balancer, ingress):
        if claim.address in edges:
            yield Fault(
                claim.path,
                f"{claim.address} is the {edges[claim.address]} address of loadBalancer.cidr {pool} and "
                "loadBalancer.allowFirstLastIPs is false: set it to true, or ask for another address",
            )


def local_traffic_policy_is_announced(ingress: Ingress, versions: Versions) -> Iterator[Fault]:
    """Older Cilium announces on nodes that have no pod and then drops what arrives."""
    local = ingress.controller != "none" and ingress.external_traffic_policy == "Local"
    if local and release(versions.cilium) < LOCAL_TRAFFIC_POLICY_SINCE:
        since = ".".join(map(str, LOCAL_TRAFFIC_POLICY_SINCE))
        yield Fault(
            "ingress.externalTrafficPolicy",
            f"Local drops traffic with L2 announcements of Cilium {versions.cilium} (versions.cilium): "
            f"use {since} or newer, or Cluster",
        )


RULES = (
    ingress_has_an_address,
    requested_addresses_are_in_the_pool,
    requested_addresses_are_unique,
    requesting_services_are_unique,
    requested_addresses_may_be_given,
    local_traffic_policy_is_announced,
)
