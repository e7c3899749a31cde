"""Rules of the LoadBalancer pool: in the LAN, and free of everything that has an address there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.rules.address_claims import Claim, of_nodes, of_routers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from model.load_balancer import LoadBalancer
    from model.network import Lan, Network
    from model.nodes import Node


def pool_is_inside_lan(load_balancer: LoadBalancer, lan: Lan) -> Iterator[Fault]:
    """Clients ask for the pool's addresses by ARP in their own network."""
    pool = load_balancer.cidr
    if not pool.subnet_of(lan.cidr):
        yield Fault(
            "loadBalancer.cidr",
            f"{pool} is not inside lan.cidr {lan.cidr}: nobody in the LAN would ask for it by ARP",
        )
        # What the pool touches at the edges of a LAN it is not in would be the same fault again.
        return
    edges = {"network": lan.cidr.network_address, "broadcast": lan.cidr.broadcast_address}
    for kind, address in edges.items():
        if address in pool:
            yield Fault(
                "loadBalancer.cidr",
                f"{pool} contains {address}, the {kind} address of lan.cidr {lan.cidr}: move the pool",
            )


def pool_is_free_of_nodes(load_balancer: LoadBalancer, nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Cilium drops a node's own traffic if the pool contains its address."""
    yield from _inside_pool(load_balancer, of_nodes(nodes))


def pool_is_free_of_routers(load_balancer: LoadBalancer, network: Network, lan: Lan) -> Iterator[Fault]:
    """A Service with the gateway's address cuts the LAN off."""
    yield from _inside_pool(load_balancer, of_routers(network, lan))


def pool_is_free_of_nameservers(load_balancer: LoadBalancer, network: Network) -> Iterator[Fault]:
    """Nodes need their nameserver before the pool exists."""
    claims = [
        Claim(f"network.nameservers.{index}", "a nameserver of the nodes", address)
        for index, address in enumerate(network.nameservers)
        # A router that also answers DNS is one owner: the rule about routers names it.
        if address != network.gateway
    ]
    yield from _inside_pool(load_balancer, claims)


def _inside_pool(load_balancer: LoadBalancer, claims: Iterable[Claim]) -> Iterator[Fault]:
    for claim in claims:
        if claim.address in load_balancer.cidr:
            yield Fault("loadBalancer.cidr", f"{load_balancer.cidr} contains {claim}: move one of them")


RULES = (
    pool_is_inside_lan,
    pool_is_free_of_nodes,
    pool_is_free_of_routers,
    pool_is_free_of_nameservers,
)
