"""Gates of the load balancer: pools without conflict, the requested address assigned, the lease held."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from steps.errors import StepError
from steps.gates import gate
from steps.kube import Unanswered, condition, is_true

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from steps.job import Job
    from steps.kube import Kube, Object

_VERSIONS = ("v2", "v2alpha1")  # of the pools: Cilium from 1.18 on, and before
_CONFLICT, _COUNTED = "cilium.io/PoolConflict", "cilium.io/IPsTotal"
_REQUEST = "cilium.io/IPAMRequestSatisfied"
_FORGOTTEN = 3  # lease durations without a renewal after which its holder counts as gone

# Reasons of LB-IPAM (Cilium 1.20, operator/pkg/lbipam) in words that say what to do.
_REASONS = {
    "no_pool": "no pool that is enabled and without conflict has the address",
    "pool_selector_mismatch": "no pool with this address has a serviceSelector that matches the Service",
    "already_allocated": "another Service holds the address",
    "already_allocated_incompatible_service": "another Service holds the address and cannot share it",
    "out_of_ips": "the pool has no free address",
}


def pool_valid(job: Job) -> str:
    """Wait until Cilium has counted every pool's addresses and found no conflict."""
    names = job.text("POOLS").split()

    def lacks(kube: Kube) -> str:
        found = {name: _pool(kube, name) for name in names}
        conflict = any(pool is not None and is_true(pool, _CONFLICT) for pool in found.values())
        leaving = {pool["metadata"]["name"] for pool in all_pools(kube) if ours(pool)} if conflict else set()
        lacking = (pool_lacks(name, pool, leaving - found.keys()) for name, pool in found.items())
        return "; ".join(filter(None, lacking))

    check = (
        "`kubectl get ippools -o yaml`: blocks of two pools must not overlap; then the log of cilium-operator"
    )
    return gate(job, "the address pools", check, lacks, f"pools valid: {' '.join(names)}")


def all_pools(kube: Kube) -> list[Object]:
    """Return every pool of the cluster, in the newest version that it serves."""
    for version in _VERSIONS:
        found = kube.find(f"/apis/cilium.io/{version}/ciliumloadbalancerippools")
        if found is not None:
            return found.get("items") or []
    return []


def ours(pool: Object) -> bool:
    """Return whether a Pulumi program applied the pool."""
    managers = (entry.get("manager", "") for entry in pool["metadata"].get("managedFields") or [])
    return any(manager.startswith("pulumi-kubernetes") for manager in managers)


def _pool(kube: Kube, name: str) -> Object | None:
    """Return the pool in the newest version that the cluster serves, or None."""
    for version in _VERSIONS:
        found = kube.find(f"/apis/cilium.io/{version}/ciliumloadbalancerippools/{name}")
        if found is not None:
            return found
    return None


def pool_lacks(name: str, pool: Object | None, leaving: Collection[str] = ()) -> str:
    """Return why a pool cannot be used yet, or an empty text.

    Pulumi deletes what has left the config at the end of a run: until then a pool may overlap one of the
    `leaving` pools, and its Services keep what they hold.
    """
    if pool is None:
        return f"pool {name} does not exist"
    if is_true(pool, _CONFLICT):
        message = str((condition(pool, _CONFLICT) or {}).get("message", ""))
        if not any(message.endswith(f"'{other}'") for other in leaving):
            return f"pool {name} is in conflict: {message}"
    counted = condition(pool, _COUNTED)
    if counted is None or counted.get("observedGeneration", 0) < pool["metadata"]["generation"]:
        return f"pool {name} has not been looked at by cilium-operator"
    return ""


def address_assigned(job: Job) -> str:
    """Wait until the Service holds the address it asked for."""
    service, address = job.text("SERVICE"), job.text("ADDRESS")
    path = _service_path(service)

    def lacks(kube: Kube) -> str:
        item = kube.find(path)
        if item is None:
            return f"Service {service} does not exist"
        if address in addresses(item):
            return ""
        return f"{request_lacks(item, address)}{_held_by(kube.items('/api/v1/services'), address)}"

    check = (
        f"`kubectl describe service {service.partition('/')[2]}` for the request, `kubectl get ippools "
        "-o yaml` for pools and selectors, and the log of cilium-operator"
    )
    return gate(job, f"{address} at Service {service}", check, lacks, f"{service} holds {address}")


def _service_path(service: str) -> str:
    """Return the API path of a Service written as namespace/name."""
    namespace, separator, name = service.partition("/")
    if not (namespace and separator and name):
        raise StepError(f"SERVICE must be namespace/name, not {service!r}")
    return f"/api/v1/namespaces/{namespace}/services/{name}"


def addresses(service: Object) -> tuple[str, ...]:
    """Return the load balancer addresses that a Service holds."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return tuple(entry.get("ip", "") for entry in ingress)


def request_lacks(service: Object, address: str) -> str:
    """Return Cilium's reason why the Service does not hold the address."""
    held = addresses(service)
    instead = f"it holds {', '.join(held)} instead" if held else "it holds none"
    said = condition(service, _REQUEST)
    if said is None:
        return f"{instead}; cilium-operator has not judged its request yet"
    if said.get("status") == "True":
        return f"{instead}; Cilium counts its request as satisfied: does the Service ask for {address}?"
    reason = str(said.get("reason", ""))
    return f"{instead}; Cilium says {reason}: {_REASONS.get(reason) or said.get('message', '')}"


def _held_by(services: Iterable[Object], address: str) -> str:
    """Return who holds the address, as the end of a sentence."""
    for service in services:
        if address in addresses(service):
            metadata = service["metadata"]
            return f"; {address} is held by Service {metadata['namespace']}/{metadata['name']}"
    return ""


def lease_held(job: Job) -> str:
    """Wait until a node holds the lease of the Service, that is, until one answers ARP for its address."""
    service = job.text("SERVICE")
    _service_path(service)
    namespace = job.environment.get("NAMESPACE", "") or "kube-system"
    name = f"cilium-l2announce-{service.replace('/', '-', 1)}"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"

    def lacks(kube: Kube) -> str:
        answer = kube.ask(path)
        lease = kube.decode(answer, path)
        reason = lease_lacks(name, lease, answer.date)
        if not reason and lease is not None:
            job.say(f"{service} is announced by {lease['spec']['holderIdentity']}")
        return reason

    check = (
        "that the L2 policy selects the Service and at least one node (`kubectl get l2announcement -o yaml`) "
        "and that the release has l2announcements.enabled; `kubectl -n kube-system logs ds/cilium | grep l2`"
    )
    return gate(job, f"a node to announce {service}", check, lacks, f"{service} is announced")


def lease_lacks(name: str, lease: Object | None, server_date: str) -> str:
    """Return why a lease does not prove that somebody announces, or an empty text.

    `server_date` is the API server's own time, as HTTP writes it: this machine's clock may differ.
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
    if now - renewed > timedelta(seconds=_FORGOTTEN * spec.get("leaseDurationSeconds", 0)):
        return f"lease {name} was last renewed by {holder} at {spec['renewTime']}"
    return ""
