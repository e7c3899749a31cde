"""Rules of the DHCP range: inside a network of the config, and clear of what nobody may give away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.load_balancer import LoadBalancer
    from model.network import Endpoint, Lan, Network


def dhcp_range_is_inside(network: Network, lan: Lan) -> Iterator[Fault]:
    """The DHCP range runs upwards inside one of the two networks."""
    dhcp = network.dhcp_range
    if dhcp is None:
        return
    if dhcp.start > dhcp.stop:
        yield Fault("network.dhcpRange", f"starts at {dhcp.start}, after its end {dhcp.stop}: swap them")
    elif not any(dhcp.start in found and dhcp.stop in found for found in (network.node_cidr, lan.cidr)):
        yield Fault(
            "network.dhcpRange",
            f"{dhcp.start} to {dhcp.stop} is neither inside network.nodeCidr {network.node_cidr} "
            f"nor inside lan.cidr {lan.cidr}",
        )


def vip_is_not_given_by_dhcp(endpoint: Endpoint, network: Network) -> Iterator[Fault]:
    """DHCP knows no MAC address for which it could reserve the VIP."""
    dhcp = network.dhcp_range
    if endpoint.vip is not None and dhcp is not None and dhcp.start <= endpoint.vip <= dhcp.stop:
        yield Fault(
            "endpoint.vip",
            f"{endpoint.vip} is inside network.dhcpRange {dhcp.start} to {dhcp.stop}: "
            "the DHCP server may give it away; move one of them",
        )


def pool_is_free_of_dhcp(load_balancer: LoadBalancer, network: Network) -> Iterator[Fault]:
    """The DHCP server must not give away what Cilium announces."""
    pool, dhcp = load_balancer.cidr, network.dhcp_range
    if dhcp is not None and dhcp.start <= pool.broadcast_address and pool.network_address <= dhcp.stop:
        yield Fault(
            "loadBalancer.cidr",
            f"{pool} meets network.dhcpRange {dhcp.start} to {dhcp.stop}: move one of them",
        )


RULES = (dhcp_range_is_inside, vip_is_not_given_by_dhcp, pool_is_free_of_dhcp)
