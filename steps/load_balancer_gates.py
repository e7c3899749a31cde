"""Gates of the load balancer: pools without conflict, the requested address assigned, the lease held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.cilium import kinds
from clients.cilium.lb_ipam import (
    all_pools,
    applied_by_pulumi,
    find_pool,
    held_addresses,
    lease_lacks,
    pool_lacks,
    request_lacks,
)
from clients.errors import OperationError
from clients.kubernetes.api import is_true
from steps.inputs import AddressAssignedInputs, LeaseHeldInputs, PoolValidInputs
from steps.kubernetes_gates import gate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clients.kubernetes.api import Kube, Object
    from steps.job import Job

_LEASES_IN = "kube-system"  # where agents keep the leases of announcements


def pool_valid(job: Job) -> str:
    """Wait until Cilium has counted every pool's addresses and found no conflict."""
    names = job.inputs(PoolValidInputs).pools

    def lacks(kube: Kube) -> str:
        found = {name: find_pool(kube, name) for name in names}
        conflict = any(pool is not None and is_true(pool, kinds.POOL_CONFLICT) for pool in found.values())
        applied = (pool for pool in all_pools(kube) if applied_by_pulumi(pool)) if conflict else ()
        leaving = {pool["metadata"]["name"] for pool in applied}
        lacking = (pool_lacks(name, pool, leaving - found.keys()) for name, pool in found.items())
        return "; ".join(filter(None, lacking))

    check = (
        "`kubectl get ippools -o yaml`: blocks of two pools must not overlap; then the log of cilium-operator"
    )
    return gate(job, "the address pools", check, lacks, f"pools valid: {' '.join(names)}")


def address_assigned(job: Job) -> str:
    """Wait until the Service holds the address it asked for."""
    inputs = job.inputs(AddressAssignedInputs)
    service, address = inputs.service, inputs.address
    path = _service_path(service)

    def lacks(kube: Kube) -> str:
        item = kube.find(path)
        if item is None:
            return f"Service {service} does not exist"
        if address in held_addresses(item):
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
        raise OperationError(f"SERVICE must be namespace/name, not {service!r}")
    return f"/api/v1/namespaces/{namespace}/services/{name}"


def _held_by(services: Iterable[Object], address: str) -> str:
    """Return who holds the address, as the end of a sentence."""
    for service in services:
        if address in held_addresses(service):
            metadata = service["metadata"]
            return f"; {address} is held by Service {metadata['namespace']}/{metadata['name']}"
    return ""


def lease_held(job: Job) -> str:
    """Wait until a node holds the lease of the Service, that is, until one answers ARP for its address."""
    service = job.inputs(LeaseHeldInputs).service
    _service_path(service)
    name = kinds.lease_name(*service.split("/", 1))
    path = f"/apis/coordination.k8s.io/v1/namespaces/{_LEASES_IN}/leases/{name}"

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
