"""Rules of the ranges: which may meet, and how small they may be."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations, islice
from typing import TYPE_CHECKING

from model.faults import Fault
from model.versions import minor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from model.network import Lan, Network
    from model.nodes import Node
    from model.versions import Versions

# Offered first as a repair: what people find in every guide.
_FAMILIAR = (IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/12"))
_PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
_NOT_FOR_HOSTS = (IPv4Network("0.0.0.0/8"), IPv4Network("169.254.0.0/16"), IPv4Network("224.0.0.0/3"))
_LARGEST_SERVICE_PREFIX = 12
# A /29 has eight addresses, and so no tenth for the cluster DNS.
_SMALLEST_SERVICE_PREFIX = 28
# A /30 has room for a gateway and one node, and for nothing else.
_SMALLEST_HOST_PREFIX = 29


def ranges_are_disjoint(network: Network, lan: Lan | None = None) -> Iterator[Fault]:
    """Pods, Services, nodes and LAN need ranges of their own; nodes and LAN have a rule of their own."""
    ranges = _ranges(network, lan)
    if lan is not None and network.node_cidr.subnet_of(lan.cidr):
        del ranges["network.nodeCidr"]  # what meets it meets the LAN: one fault is enough
    for (path, one), (other_path, other) in combinations(ranges.items(), 2):
        # Nodes and LAN may overlap on purpose, in a rule of its own.
        if one.overlaps(other) and path != "network.nodeCidr":
            repair = _free_example(one, [r for p, r in ranges.items() if p != path])
            yield Fault(path, f"{one} overlaps {other_path} {other}: choose another range{repair}")


def node_range_fits_lan(network: Network, lan: Lan) -> Iterator[Fault]:
    """Untagged nodes sit in the LAN itself; tagged ones reach it from a network of their own."""
    nodes = network.node_cidr
    if lan.tagged and nodes.overlaps(lan.cidr):
        yield Fault(
            "network.nodeCidr",
            f"{nodes} overlaps lan.cidr {lan.cidr}: with lan.tagged the nodes have a network of their own; "
            "give it another range, or set lan.tagged to false",
        )
    if not lan.tagged and not nodes.subnet_of(lan.cidr):
        yield Fault(
            "network.nodeCidr",
            f"{nodes} is not inside lan.cidr {lan.cidr}: untagged nodes sit in the LAN itself; "
            f"use {lan.cidr}, or set lan.tagged to true",
        )


def ranges_are_for_hosts(network: Network, lan: Lan | None = None) -> Iterator[Fault]:
    """Link-local, multicast and reserved addresses do not work for hosts."""
    for path, found in _ranges(network, lan).items():
        special = next((block for block in _NOT_FOR_HOSTS if block.overlaps(found)), None)
        if special is not None:
            yield Fault(path, f"{found} meets {special}, which is not for hosts: choose a private range")


def ranges_are_large_enough(network: Network, lan: Lan) -> Iterator[Fault]:
    """A network of hosts needs a few addresses beside its own first and last."""
    for path, found in (("network.nodeCidr", network.node_cidr), ("lan.cidr", lan.cidr)):
        if found.prefixlen > _SMALLEST_HOST_PREFIX:
            yield Fault(path, f"{found} is too small for hosts: use a /{_SMALLEST_HOST_PREFIX} or larger")


def pod_range_holds_nodes(network: Network, nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Each node takes a range of nodeMask out of podCidr."""
    # Where no node has its shape yet, the range must still hold one.
    count = max(1, len(nodes))
    # Each doubling of the nodes takes one more bit between the two prefixes.
    needed = network.node_mask - (count - 1).bit_length()
    if network.pod_cidr.prefixlen > needed:
        yield Fault(
            "network.podCidr",
            f"{network.pod_cidr} is too small for {count} node(s) with a /{network.node_mask} each: "
            f"use a /{needed} or larger, or raise network.nodeMask",
        )


def service_range_holds_dns(network: Network) -> Iterator[Fault]:
    """The cluster DNS is the tenth address of the service range."""
    if network.service_cidr.prefixlen > _SMALLEST_SERVICE_PREFIX:
        yield Fault(
            "network.serviceCidr",
            f"{network.service_cidr} does not hold the cluster DNS address {network.dns_address}: "
            f"use a /{_SMALLEST_SERVICE_PREFIX} or larger",
        )


def service_range_suits_api_server(network: Network, versions: Versions) -> Iterator[Fault]:
    """API servers before 1.34 refuse more than 20 bits (validateClusterIPFlags in their source)."""
    too_large = network.service_cidr.prefixlen < _LARGEST_SERVICE_PREFIX
    if too_large and minor(versions.kubernetes) < (1, 34):
        yield Fault(
            "network.serviceCidr",
            f"{network.service_cidr} is more than the API server of {versions.kubernetes} takes: "
            f"use a /{_LARGEST_SERVICE_PREFIX} or smaller",
        )


def _ranges(network: Network, lan: Lan | None) -> dict[str, IPv4Network]:
    ranges = {
        "network.podCidr": network.pod_cidr,
        "network.serviceCidr": network.service_cidr,
        "network.nodeCidr": network.node_cidr,
    }
    return ranges if lan is None else {**ranges, "lan.cidr": lan.cidr}


def _candidates(prefix: int) -> Iterator[IPv4Network]:
    """Yield private ranges of a size: those that Kubernetes users know first."""
    yield from (known for known in _FAMILIAR if known.prefixlen == prefix)
    for block in _PRIVATE:
        if block.prefixlen <= prefix:
            # A /28 in 10.0.0.0/8 has a million candidates; some thousand are enough for an example.
            yield from islice(block.subnets(new_prefix=prefix), 4096)


def _free_example(wanted: IPv4Network, taken: Iterable[IPv4Network]) -> str:
    """Return `, for example …` with a free private range of the same size, if one is near at hand."""
    occupied = tuple(taken)
    free = (c for c in _candidates(wanted.prefixlen) if not any(c.overlaps(other) for other in occupied))
    return next((f", for example {candidate}" for candidate in free), "")


RULES = (
    ranges_are_disjoint,
    node_range_fits_lan,
    ranges_are_for_hosts,
    ranges_are_large_enough,
    pod_range_holds_nodes,
    service_range_holds_dns,
    service_range_suits_api_server,
)
