"""Rules of the Kubernetes endpoint."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from model.faults import Fault
from model.rules.address_claims import not_a_host_of, of_endpoint, of_nodes, of_routers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.load_balancer import LoadBalancer
    from model.network import Endpoint, Lan, Network
    from model.nodes import Node

# Where the API server listens on a control plane, and so behind the VIP.
API_SERVER_PORT = 6443


def endpoint_is_chosen_once(endpoint: Endpoint) -> Iterator[Fault]:
    """The API answers at a VIP or at a given host."""
    if (endpoint.vip is None) == (endpoint.host is None):
        yield Fault(
            "endpoint",
            "set exactly one of vip (an address Talos moves between control planes) "
            "and host (your own load balancer or DNS name)",
        )


def vip_port_is_that_of_the_api_server(endpoint: Endpoint) -> Iterator[Fault]:
    """A VIP is an address of a control plane: nothing translates ports there."""
    if endpoint.vip is not None and endpoint.port != API_SERVER_PORT:
        yield Fault(
            "endpoint.port",
            f"{endpoint.port} does not answer at a VIP: the API server listens on {API_SERVER_PORT}; "
            "use that, or a host with a load balancer",
        )


def vip_is_inside_node_network(endpoint: Endpoint, network: Network) -> Iterator[Fault]:
    """Control planes announce the VIP on the link of their own address."""
    for claim in of_endpoint(endpoint):
        yield from not_a_host_of(claim, network.node_cidr, "network.nodeCidr")


def vip_is_not_a_node(endpoint: Endpoint, nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """The VIP moves, a node's address does not."""
    for vip in of_endpoint(endpoint):
        for claim in of_nodes(nodes):
            if claim.address == vip.address:
                yield Fault(
                    vip.path, f"{claim}: give the VIP an address of its own, or set endpoint.host instead"
                )


def vip_is_not_a_router(endpoint: Endpoint, network: Network, lan: Lan) -> Iterator[Fault]:
    """Two machines with one address cut each other off."""
    for vip in of_endpoint(endpoint):
        for claim in of_routers(network, lan):
            if claim.address == vip.address:
                yield Fault(vip.path, f"{claim}: give the VIP an address of its own")


def endpoint_is_not_in_the_pool(endpoint: Endpoint, load_balancer: LoadBalancer) -> Iterator[Fault]:
    """The pool needs the API to work, so the API cannot depend on the pool."""
    for path, address in (("endpoint.vip", endpoint.vip), ("endpoint.host", _as_address(endpoint.host))):
        # Cilium would give the address to a Service, and the API would vanish behind it.
        if address is not None and address in load_balancer.cidr:
            yield Fault(
                path,
                f"{address} is inside loadBalancer.cidr {load_balancer.cidr}, which is for Services: "
                "move one of them",
            )


def _as_address(host: str | None) -> IPv4Address | None:
    try:
        return IPv4Address(host) if host is not None else None
    except ValueError:
        return None


RULES = (
    endpoint_is_chosen_once,
    vip_port_is_that_of_the_api_server,
    vip_is_inside_node_network,
    vip_is_not_a_node,
    vip_is_not_a_router,
    endpoint_is_not_in_the_pool,
)
