"""Rules of addresses that cannot answer: loopback, hosts that are none, name servers inside the cluster."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from model.faults import Fault
from model.rules.address_claims import of_nodes, of_routers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.network import Endpoint, Lan, Network
    from model.nodes import Node

LOOPBACK = IPv4Network("127.0.0.0/8")
_NUMBERS = re.compile(r"[0-9]+(?:[.][0-9]+)*")


def loopback_is_for_simulators(network: Network, lan: Lan, nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A loopback address is that of every machine itself, unless all nodes are simulated on one."""
    if network.node_cidr.subnet_of(LOOPBACK):
        return
    claims = [(claim.path, claim.address) for claim in (*of_nodes(nodes), *of_routers(network, lan))]
    servers = [(f"network.nameservers.{n}", server) for n, server in enumerate(network.nameservers)]
    for path, address in (*claims, *servers):
        if address in LOOPBACK:
            yield Fault(path, f"{address} is loopback, so each node would reach itself there")


def endpoint_host_can_answer(
    endpoint: Endpoint, network: Network, nodes: tuple[Node, ...]
) -> Iterator[Fault]:
    """A host written in numbers is an address of a control plane or of a load balancer."""
    host = endpoint.host
    # By its characters 10.0.0.300 is a DNS name, but no resolver answers for it.
    if host is None or not _NUMBERS.fullmatch(host):
        return
    try:
        address = IPv4Address(host)
    except ValueError:
        yield Fault("endpoint.host", f"{host} is neither an IPv4 address nor a DNS name")
        return
    reason = _no_host(address, network) or _worker(address, nodes)
    if reason:
        yield Fault("endpoint.host", f"{address} {reason}")


def _no_host(address: IPv4Address, network: Network) -> str:
    nodes = network.node_cidr
    if address in LOOPBACK and not nodes.subnet_of(LOOPBACK):
        return "is loopback, so each node would reach itself there"
    if address.is_multicast or address.is_reserved or address.is_unspecified:
        return "is no address of a machine: it is multicast, reserved or broadcast"
    if address in (nodes.network_address, nodes.broadcast_address):
        return f"is the network or broadcast address of network.nodeCidr {nodes}"
    return ""


def _worker(address: IPv4Address, nodes: tuple[Node, ...]) -> str:
    for node in nodes:
        if address == node.address and not node.is_control_plane:
            return f"is worker {node.name}, where no API server runs: name a control plane or a load balancer"
    return ""


def nameservers_are_outside_the_cluster(network: Network, lan: Lan) -> Iterator[Fault]:
    """Nodes resolve names before there is a cluster."""
    ranges = {"network.podCidr": network.pod_cidr, "network.serviceCidr": network.service_cidr}
    for index, server in enumerate(network.nameservers):
        for path, found in ranges.items():
            # A range that meets a network of hosts has its own fault.
            if server in found and not (found.overlaps(network.node_cidr) or found.overlaps(lan.cidr)):
                yield Fault(
                    f"network.nameservers.{index}",
                    f"{server} is inside {path} {found}, which no node reaches before Cilium runs: "
                    "name a server of your network",
                )


RULES = (
    loopback_is_for_simulators,
    endpoint_host_can_answer,
    nameservers_are_outside_the_cluster,
)
