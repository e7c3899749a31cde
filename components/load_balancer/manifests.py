"""Pools and L2 policy as Kubernetes manifests: pure functions of the config.

Cilium gives a Service that requests no address the lowest free one. So each requested address has a pool of
its own that only its Service may use, and the general pool is the rest of the range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.versions import minor

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv4Network

    from model import Cluster, Reservation

Manifest = dict[str, Any]

KEPT_BY_FLUX = {"kustomize.toolkit.fluxcd.io/prune": "disabled"}
"""Deleting a pool takes addresses away, so Flux leaves it alone when its file is gone; see docs/flux.md."""

POLICY_API_VERSION = "cilium.io/v2alpha1"
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
POOL_V2_SINCE = (1, 18)
SMALLEST_WITH_RESERVED_ENDS = 30
"""Longest prefix of which Cilium can set the first and last address aside."""


def manifests(cluster: Cluster) -> list[Manifest]:
    """Return everything that the program or Flux creates, in the order of creation."""
    return [*pools(cluster), l2_policy(cluster)]


def pools(cluster: Cluster) -> list[Manifest]:
    """Return the general pool, unless nothing is left for it, and one pool per requested address.

    The general pool comes first: it must give an address up before another pool may have it.
    """
    reserved = [_reserved_pool(cluster, reservation) for reservation in cluster.requested]
    blocks = [_block(*span) for span in free_spans(cluster)]
    general = [_pool(cluster, cluster.name, {"blocks": blocks})] if blocks else []
    return [*general, *reserved]


def free_spans(cluster: Cluster) -> list[tuple[IPv4Address, IPv4Address]]:
    """Return first and last address of each part of the range that no Service has requested."""
    balancer = cluster.load_balancer
    first, last = usable_ends(balancer.cidr, allow_first_last=balancer.allow_first_last_ips)
    return subtract(first, last, (r.address for r in cluster.requested))


def usable_ends(network: IPv4Network, *, allow_first_last: bool) -> tuple[IPv4Address, IPv4Address]:
    """Return the first and the last address that the rule for a range's ends leaves usable."""
    skip = 0 if allow_first_last or network.prefixlen > SMALLEST_WITH_RESERVED_ENDS else 1
    return network.network_address + skip, network.broadcast_address - skip


def subtract(
    first: IPv4Address,
    last: IPv4Address,
    taken: Iterable[IPv4Address],
) -> list[tuple[IPv4Address, IPv4Address]]:
    """Return what is left of the inclusive span after the taken addresses, as inclusive spans in order."""
    spans = []
    start = first
    for address in sorted(address for address in taken if first <= address <= last):
        if start < address:
            spans.append((start, address - 1))
        start = address + 1
    return [*spans, (start, last)] if start <= last else spans


def l2_policy(cluster: Cluster) -> Manifest:
    """Return the policy that lets the chosen nodes answer ARP for LoadBalancer addresses."""
    spec: Manifest = {"loadBalancerIPs": True}
    if cluster.interfaces:
        spec["interfaces"] = list(cluster.interfaces)
    selector = _node_selector(cluster)
    # A policy without a node selector selects every node.
    if selector is not None:
        spec["nodeSelector"] = selector
    return _manifest(POLICY_API_VERSION, "CiliumL2AnnouncementPolicy", cluster.name, spec)


def _node_selector(cluster: Cluster) -> Manifest | None:
    chosen = cluster.load_balancer.node_selector
    if chosen is not None:
        return {"matchLabels": dict(sorted(chosen.items()))}
    # Without workers control planes carry the pods, so they must announce as well.
    if not cluster.workers:
        return None
    return {"matchExpressions": [{"key": CONTROL_PLANE_LABEL, "operator": "DoesNotExist"}]}


def _reserved_pool(cluster: Cluster, reservation: Reservation) -> Manifest:
    labels = {
        "io.kubernetes.service.namespace": reservation.namespace,
        "io.kubernetes.service.name": reservation.name,
    }
    spec = {
        "blocks": [_block(reservation.address, reservation.address)],
        "serviceSelector": {"matchLabels": labels},
    }
    return _pool(cluster, reserved_pool_name(reservation), spec)


def reserved_pool_name(reservation: Reservation) -> str:
    """Return the name of the pool of a requested address.

    Neither part has a dot, so no two Services share a pool's name, nor one of them the general pool's.
    """
    return f"{reservation.name}.{reservation.namespace}"


def ingress_pool_name(cluster: Cluster) -> str:
    """Return the name of the ingress's pool; empty where there is none."""
    own = cluster.ingress_reservation
    return "" if own is None else reserved_pool_name(own)


def _block(start: IPv4Address, stop: IPv4Address) -> dict[str, str]:
    return {"start": str(start), "stop": str(stop)}


def _pool(cluster: Cluster, name: str, spec: Manifest) -> Manifest:
    return _manifest(pool_api_version(cluster.versions.cilium), "CiliumLoadBalancerIPPool", name, spec)


def pool_api_version(cilium: str) -> str:
    """Return the newest version of the pool's kind that this Cilium serves."""
    return "cilium.io/v2" if minor(cilium) >= POOL_V2_SINCE else "cilium.io/v2alpha1"


def _manifest(api_version: str, kind: str, name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "annotations": dict(KEPT_BY_FLUX)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
