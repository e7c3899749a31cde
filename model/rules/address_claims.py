"""Who claims which address: what the address rules compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Address, IPv4Network

    from model.ingress import Ingress
    from model.load_balancer import LoadBalancer
    from model.network import Endpoint, Lan, Network
    from model.nodes import Node


@dataclass(frozen=True, slots=True)
class Claim:
    """An address and who claims it.

    Attributes:
        path: Where the claim stands in the stack file.
        owner: Who claims it, as a message names it.
        address: The address.
    """

    path: str
    owner: str
    address: IPv4Address

    def __str__(self) -> str:
        """The claim as a message names it."""
        return f"{self.address}, {self.owner} ({self.path})"


def of_node(node: Node) -> Iterator[Claim]:
    """Yield the addresses of a node: its own, its LAN address, its address in maintenance mode."""
    path = f"nodes.{node.name}"
    yield Claim(f"{path}.address", f"the address of node {node.name}", node.address)
    if node.lan_address is not None:
        yield Claim(f"{path}.lanAddress", f"the LAN address of node {node.name}", node.lan_address)
    # A node may keep one address through its whole life; that is no second claim.
    if node.maintenance_address not in (None, node.address):
        owner = f"the maintenance address of node {node.name}"
        yield Claim(f"{path}.maintenanceAddress", owner, node.maintenance_address)


def of_nodes(nodes: Iterable[Node]) -> tuple[Claim, ...]:
    """Return the claims of all nodes."""
    return tuple(claim for node in nodes for claim in of_node(node))


def of_routers(network: Network, lan: Lan) -> tuple[Claim, ...]:
    """Return the gateways of the node network and of the LAN; they may be the same."""
    claims = [Claim("network.gateway", "the gateway of the nodes", network.gateway)]
    # One router for both networks is one claim: it must not collide with itself.
    if lan.gateway is not None and lan.gateway != network.gateway:
        claims.append(Claim("lan.gateway", "the gateway of the LAN", lan.gateway))
    return tuple(claims)


def of_endpoint(endpoint: Endpoint) -> tuple[Claim, ...]:
    """Return the claim of the VIP, if there is one."""
    if endpoint.vip is None:
        return ()
    return (Claim("endpoint.vip", "the VIP of the control planes", endpoint.vip),)


def of_services(load_balancer: LoadBalancer, ingress: Ingress) -> tuple[Claim, ...]:
    """Return the addresses that Services ask for, that of the ingress first."""
    claims = [
        Claim(
            f"loadBalancer.reservations.{index}.address",
            f"{reservation.namespace}/{reservation.name}",
            reservation.address,
        )
        for index, reservation in enumerate(load_balancer.reservations)
    ]
    # Without a controller the address is an ordinary one of the pool.
    if ingress.controller != "none" and ingress.address is not None:
        # In front, because a fault about a repeated address blames the later claim.
        claims.insert(
            0, Claim("ingress.address", f"{ingress.namespace}/{ingress.service_name}", ingress.address)
        )
    return tuple(claims)


def repeated(claims: Iterable[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Yield each claim of an address that is already claimed, with the first claim of it."""
    first: dict[IPv4Address, Claim] = {}
    for claim in claims:
        if claim.address in first:
            yield claim, first[claim.address]
        else:
            first[claim.address] = claim


def not_a_host_of(claim: Claim, network: IPv4Network, network_path: str) -> Iterator[Fault]:
    """Yield a fault if the claimed address is no host address of the network."""
    if claim.address not in network:
        yield Fault(claim.path, f"{claim.address} is not inside {network_path} {network}")
    elif claim.address in (network.network_address, network.broadcast_address):
        kind = "network" if claim.address == network.network_address else "broadcast"
        yield Fault(claim.path, f"{claim.address} is the {kind} address of {network_path} {network}")
