"""What the stack tells a person about the cluster, beside the two secret configs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model import Cluster, Node


def stack_outputs(cluster: Cluster) -> dict[str, Any]:
    """Return the plain stack outputs, by name."""
    return {
        "endpoint": cluster.endpoint.url,
        "nodes": [_row(node) for node in (*cluster.control_planes, *cluster.workers)],
        "pool": str(cluster.load_balancer.cidr),
        "requestedAddresses": {f"{r.namespace}/{r.name}": str(r.address) for r in cluster.requested},
        "versions": cluster.versions.model_dump(by_alias=True),
    }


def _row(node: Node) -> dict[str, str]:
    return {
        "name": node.name,
        "role": node.role,
        "address": str(node.address),
        "lanAddress": str(node.lan_address or node.address),
    }
