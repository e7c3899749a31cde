"""Names that Cilium gives to its kinds, conditions, annotations and leases, and how its pools are written.

Source: `pkg/k8s/apis/cilium.io`, `operator/pkg/lbipam` and `pkg/l2announcer` of Cilium 1.20.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.kubernetes.api import Kube, Object

POOLS = "ciliumloadbalancerippools"
POLICIES = "ciliuml2announcementpolicies"
AGENTS = "ciliumnodes"
# A cluster in the middle of an upgrade may serve only the older one.
POOL_VERSIONS = ("v2", "v2alpha1")
"""API versions of pools, newest first: v2 from Cilium 1.18 on."""
POLICY_VERSIONS = ("v2alpha1",)
AGENT_VERSIONS = ("v2",)

POOL_CONFLICT = "cilium.io/PoolConflict"
POOL_COUNTED = "cilium.io/IPsTotal"
POOL_AVAILABLE = "cilium.io/IPsAvailable"
REQUEST_SATISFIED = "cilium.io/IPAMRequestSatisfied"
POLICY_REFUSED = (
    "io.cilium/bad-interface-regex",
    "io.cilium/bad-node-selector",
    "io.cilium/bad-service-selector",
)

REQUEST_ANNOTATIONS = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
SHARING_KEY = "lbipam.cilium.io/sharing-key"
SHARING_NAMESPACES = "lbipam.cilium.io/sharing-cross-namespace"

_POINT_TO_POINT = 31  # prefixes from here on have no first and last address to set aside


def lease_name(namespace: str, service: str) -> str:
    """Return the name of the Lease that the announcing node of a Service holds."""
    return f"cilium-l2announce-{namespace}-{service}"


def objects(kube: Kube, plural: str, versions: Iterable[str]) -> list[Object]:
    """Return the objects of a kind in the first version that is served; none where the kind is unknown.

    Raises:
        Unanswered: the API server does not answer, or refuses.
    """
    for version in versions:
        found = kube.find(f"/apis/cilium.io/{version}/{plural}")
        if found is not None:
            items: list[Object] = found.get("items") or []
            return items
    return []


def block_ends(
    block: Mapping[str, str], *, reserve_ends: bool = False
) -> tuple[IPv4Address, IPv4Address] | None:
    """Return first and last address of a pool's block, None for what is not IPv4.

    Host bits are ignored, as Cilium does. `reserve_ends` leaves out the first and the last address of a
    prefix (`allowFirstLastIPs: No`).
    """
    try:
        if "cidr" in block:
            network = IPv4Network(block["cidr"], strict=False)
            skip = 1 if reserve_ends and network.prefixlen < _POINT_TO_POINT else 0
            return network.network_address + skip, network.broadcast_address - skip
        start = IPv4Address(block["start"])
        return start, IPv4Address(block.get("stop") or block["start"])
    except (ValueError, KeyError):
        return None
