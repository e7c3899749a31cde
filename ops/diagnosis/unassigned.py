"""Why a LoadBalancer Service has no address: the likely cause in words.

Each function looks at one cause and returns a finding or None. They are asked in the order in which they
hide one another; the meaning of Cilium's reasons is that of `operator/pkg/lbipam` in its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.diagnosis import sharing
from ops.diagnosis.finding import Finding
from ops.table import some

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address

    from ops.facts import Pool, Seen, Service

OWN_CLASSES = frozenset({"", "io.cilium/l2-announcer", "io.cilium/bgp-control-plane"})
"""Classes of Services that LB-IPAM serves."""


def unassigned(service: Service, seen: Seen) -> Iterator[Finding]:
    """Yield why a Service holds no address, or not all that it asks for: the first cause that is found."""
    if service.addresses and set(service.requested) <= set(service.addresses):
        return
    for diagnose in (foreign_class, no_pool, unusable_pool, outside, taken, selector_mismatch, exhausted):
        finding = diagnose(service, seen)
        if finding is not None:
            yield finding
            return
    yield unjudged(service, seen)


def foreign_class(service: Service, _seen: Seen) -> Finding | None:
    """`spec.loadBalancerClass` gives the Service to another controller."""
    if service.load_balancer_class in OWN_CLASSES:
        return None
    return Finding(
        f"loadBalancerClass {service.load_balancer_class} belongs to another controller than Cilium",
        "remove spec.loadBalancerClass (the Service must be recreated) or set io.cilium/l2-announcer",
    )


def no_pool(_service: Service, seen: Seen) -> Finding | None:
    """LB-IPAM does nothing before the first pool exists."""
    if seen.pools:
        return None
    return Finding("there is no pool at all", "`pulumi up`, or where Flux owns it, `flux get kustomizations`")


def unusable_pool(service: Service, seen: Seen) -> Finding | None:
    """A pool that would serve the Service is disabled or in conflict with another."""
    for pool in wanted_pools(service, seen):
        if pool.disabled:
            return Finding(f"pool {pool.name} is disabled", f"set spec.disabled of pool {pool.name} to false")
        if pool.lacks:
            return Finding(pool.lacks, "blocks of two pools must not overlap; `kubectl get ippools`")
    return None


def wanted_pools(service: Service, seen: Seen) -> list[Pool]:
    """Return the pools with the addresses it requests; if it requests none, those whose selector matches."""
    if service.requested:
        # A requested address can only come from a pool that holds it, whatever else the pool is for.
        return [p for p in seen.pools if any(p.holds(address) for address in service.requested)]
    return [p for p in seen.pools if p.selector.matches(service.selectable)]


def missing(service: Service) -> list[IPv4Address]:
    """Return the addresses it asks for and does not hold."""
    return [address for address in service.requested if address not in service.addresses]


def outside(service: Service, seen: Seen) -> Finding | None:
    """It asks for an address that no pool can give."""
    for address in missing(service):
        if not any(pool.holds(address) for pool in seen.pools):
            return Finding(
                f"it asks for {address}, which no pool may give away",
                "the address must lie in loadBalancer.cidr, and first and last of it need allowFirstLastIPs",
            )
    return None


def taken(service: Service, seen: Seen) -> Finding | None:
    """Another Service holds the address; if both mean to share it, say why they cannot."""
    for address in missing(service):
        for holder in seen.services:
            if holder.key != service.key and address in holder.addresses:
                return _clash(service, holder, address)
    return None


def _clash(service: Service, holder: Service, address: IPv4Address) -> Finding | None:
    if not (service.sharing_key or holder.sharing_key):
        return Finding(
            f"{address} is held by {holder.key}",
            f"reserve it (loadBalancer.reservations) and recreate {holder.key}, so that it gets another",
        )
    reason = sharing.clash(service, holder)
    if not reason:
        # They may share it, so something else withholds the address.
        return None
    return Finding(
        f"it cannot share {address} with {holder.key}: {reason}", "see docs/load-balancer.md, sharing"
    )


def selector_mismatch(service: Service, seen: Seen) -> Finding | None:
    """The pools with its address, or all pools, are for other Services."""
    closed = [p for p in seen.pools if not p.selector.matches(service.selectable)]
    if service.requested:
        closed = [p for p in closed if any(p.holds(address) for address in missing(service))]
    elif len(closed) != len(seen.pools):
        return None
    if not closed:
        return None
    pool = closed[0]
    return Finding(
        f"pool {pool.name} is only for Services with {pool.selector}",
        f"ask for an address of another pool, or reserve one for {service.key} (loadBalancer.reservations)",
    )


def exhausted(service: Service, seen: Seen) -> Finding | None:
    """Every pool that may serve it is used up."""
    pools = wanted_pools(service, seen)
    if service.reason != "out_of_ips" and not (pools and all(pool.available == 0 for pool in pools)):
        return None
    users = [other.key for other in seen.services if other.addresses]
    return Finding(
        f"no free address in {some([pool.name for pool in pools])}; in use by {some(users)}",
        "delete a Service of type LoadBalancer, let two share an address, or widen loadBalancer.cidr",
    )


def unjudged(service: Service, seen: Seen) -> Finding:
    """Nothing in the objects explains it: the operator itself."""
    if seen.operator_lacks:
        return Finding(
            f"cilium-operator gives addresses, and {seen.operator_lacks}", "its pods and their events"
        )
    said = f"cilium-operator says {service.reason}" if service.reason else "cilium-operator has not judged it"
    return Finding(said, "`kubectl -n kube-system logs deployment/cilium-operator | grep -i ipam`")
