"""What pools, Services and leases of Cilium's load balancer lack: judgements over objects of the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from clients.cilium import kinds
from clients.kubernetes.api import Unanswered, condition, is_true

if TYPE_CHECKING:
    from collections.abc import Collection

    from clients.kubernetes.api import Kube, Object


_FORGOTTEN = 3  # lease durations without a renewal after which its holder counts as gone

# Reasons of LB-IPAM (Cilium 1.20, operator/pkg/lbipam) in words that say what to do.
_REASONS = {
    "no_pool": "no pool that is enabled and without conflict has the address",
    "pool_selector_mismatch": "no pool with this address has a serviceSelector that matches the Service",
    "already_allocated": "another Service holds the address",
    "already_allocated_incompatible_service": "another Service holds the address and cannot share it",
    "out_of_ips": "the pool has no free address",
}


def all_pools(kube: Kube) -> list[Object]:
    """Return every pool of the cluster.

    Raises:
        Unanswered: the API server does not answer, or refuses.
    """
    return kinds.objects(kube, kinds.POOLS, kinds.POOL_VERSIONS)


def find_pool(kube: Kube, name: str) -> Object | None:
    """Return the pool in the newest version that the cluster serves, or None.

    Raises:
        Unanswered: the API server does not answer, or refuses.
    """
    paths = (f"/apis/cilium.io/{version}/{kinds.POOLS}/{name}" for version in kinds.POOL_VERSIONS)
    return next((pool for path in paths if (pool := kube.find(path)) is not None), None)


def applied_by_pulumi(pool: Object) -> bool:
    """Return whether a Pulumi program applied the pool."""
    managers = (entry.get("manager", "") for entry in pool["metadata"].get("managedFields") or [])
    return any(manager.startswith("pulumi-kubernetes") for manager in managers)


def pool_lacks(name: str, pool: Object | None, leaving: Collection[str] = ()) -> str:
    """Return why a pool cannot be used yet, or an empty text.

    Pulumi deletes what has left the config at the end of a run: until then a pool may overlap one of the
    `leaving` pools, and its Services keep what they hold.
    """
    if pool is None:
        return f"pool {name} does not exist"
    if is_true(pool, kinds.POOL_CONFLICT):
        message = str((condition(pool, kinds.POOL_CONFLICT) or {}).get("message", ""))
        # Cilium names the other pool at the end of its message and offers no field for it.
        if not any(message.endswith(f"'{other}'") for other in leaving):
            return f"pool {name} is in conflict: {message}"
    # The conflict condition is missing on a sound pool, so only the count shows that it was looked at.
    counted = condition(pool, kinds.POOL_COUNTED)
    if counted is None or counted.get("observedGeneration", 0) < pool["metadata"]["generation"]:
        return f"pool {name} has not been looked at by cilium-operator"
    return ""


def held_addresses(service: Object) -> tuple[str, ...]:
    """Return the load balancer addresses that a Service holds."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return tuple(entry.get("ip", "") for entry in ingress)


def request_lacks(service: Object, address: str) -> str:
    """Return Cilium's reason why the Service does not hold the address."""
    held = held_addresses(service)
    instead = f"it holds {', '.join(held)} instead" if held else "it holds none"
    said = condition(service, kinds.REQUEST_SATISFIED)
    if said is None:
        return f"{instead}; cilium-operator has not judged its request yet"
    # Cilium judges the request that it sees: the annotation may name another address than the config.
    if said.get("status") == "True":
        return f"{instead}; Cilium counts its request as satisfied: does the Service ask for {address}?"
    reason = str(said.get("reason", ""))
    return f"{instead}; Cilium says {reason}: {_REASONS.get(reason) or said.get('message', '')}"


def lease_lacks(name: str, lease: Object | None, server_date: str) -> str:
    """Return why a lease does not prove that somebody announces, or an empty text.

    `server_date` is the API server's own time, as HTTP writes it: this machine's clock may differ.

    Raises:
        Unanswered: the lease has no time of renewal that can be read.
    """
    if lease is None:
        return f"lease {name} does not exist"
    spec = lease.get("spec", {})
    holder = spec.get("holderIdentity")
    if not holder:
        return f"lease {name} has no holder"
    try:
        now, renewed = parsedate_to_datetime(server_date), datetime.fromisoformat(spec["renewTime"])
    except (KeyError, ValueError):
        raise Unanswered(f"lease {name} of {holder} has no time of renewal that can be read") from None
    # A holder that died keeps its name in the Lease until another node takes it.
    if now - renewed > timedelta(seconds=_FORGOTTEN * spec.get("leaseDurationSeconds", 0)):
        return f"lease {name} was last renewed by {holder} at {spec['renewTime']}"
    return ""
