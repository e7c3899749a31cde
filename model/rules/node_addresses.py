"""Rules of the addresses of nodes and routers: in their network, and each with one owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.nodes import announcers
from model.rules.address_claims import not_a_host_of, of_node, of_nodes, of_routers, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.load_balancer import LoadBalancer
    from model.network import Lan, Network
    from model.nodes import Node


def node_addresses_are_inside(network: Network, nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A node's address is a host address of the node network."""
    for node in nodes:
        yield from not_a_host_of(next(of_node(node)), network.node_cidr, "network.nodeCidr")


def lan_addresses_are_inside(lan: Lan, nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A LAN address belongs on a tagged sub-interface and into the LAN."""
    for claim in of_nodes(nodes):
        if claim.path.endswith(".lanAddress"):
            if lan.tagged:
                yield from not_a_host_of(claim, lan.cidr, "lan.cidr")
            else:
                yield Fault(
                    claim.path, "remove it, or set lan.tagged to true: untagged nodes are in the LAN already"
                )


def announcers_have_lan_addresses(
    lan: Lan, load_balancer: LoadBalancer, all_nodes: tuple[Node, ...]
) -> Iterator[Fault]:
    """A node without an address on the announcing link answers ARP, but nothing after it."""
    for node in announcers(all_nodes, load_balancer.node_selector):
        if lan.tagged and node.lan_address is None:
            yield Fault(
                f"nodes.{node.name}.lanAddress",
                f"set an address in lan.cidr {lan.cidr}: node {node.name} announces the pool on {lan.link}",
            )


def gateways_are_inside(network: Network, lan: Lan) -> Iterator[Fault]:
    """A gateway is a neighbour."""
    for claim in of_routers(network, lan):
        # The two routers stand in different networks.
        if claim.path == "network.gateway":
            yield from not_a_host_of(claim, network.node_cidr, "network.nodeCidr")
        else:
            yield from not_a_host_of(claim, lan.cidr, "lan.cidr")


def node_addresses_are_unique(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """No two nodes share an address; a node may keep its own in maintenance mode."""
    for claim, earlier in repeated(of_nodes(nodes)):
        yield Fault(claim.path, f"{claim.address} is already {earlier.owner} ({earlier.path})")


def gateways_are_not_nodes(network: Network, lan: Lan, nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A node cannot be its own gateway."""
    routers = {router.address: router for router in of_routers(network, lan)}
    for claim in of_nodes(nodes):
        if claim.address in routers:
            router = routers[claim.address]
            yield Fault(claim.path, f"{claim.address} is {router.owner} ({router.path})")


RULES = (
    node_addresses_are_inside,
    lan_addresses_are_inside,
    announcers_have_lan_addresses,
    gateways_are_inside,
    node_addresses_are_unique,
    gateways_are_not_nodes,
)
