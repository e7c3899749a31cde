"""The whole stack config: `homelab:cluster`."""

from __future__ import annotations

from functools import cached_property
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import Field, StringConstraints

from model.base import Model
from model.kubernetes import Cilium, Ingress, LoadBalancer, Reservation
from model.nodes import Node, Talos, Timeouts
from model.types import Address4, DnsLabel, Network4, VlanId


class Versions(Model):
    """Pinned versions; the support matrix is checked before anything is created."""

    talos: Annotated[str, StringConstraints(pattern=r"^v\d+\.\d+\.\d+$")] = "v1.13.0"
    kubernetes: Annotated[str, StringConstraints(pattern=r"^v\d+\.\d+\.\d+$")] = "v1.36.3"
    cilium: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")] = "1.20.2"


class Endpoint(Model):
    """Where the Kubernetes API answers: a VIP shared by the control planes, or a given host."""

    vip: Address4 | None = None
    host: str | None = None
    port: int = Field(default=6443, ge=1, le=65535)

    @property
    def url(self) -> str:
        """`https://host:port`, as Talos wants it."""
        return f"https://{self.vip or self.host}:{self.port}"


class AddressRange(Model):
    """Inclusive range of addresses."""

    start: Address4
    stop: Address4


class Network(Model):
    """Ranges and services of the node network and of Kubernetes."""

    node_cidr: Network4
    gateway: Address4
    nameservers: tuple[Address4, ...] = Field(min_length=1)
    ntp_servers: tuple[str, ...] = ("time.cloudflare.com",)
    dhcp_range: AddressRange | None = None
    pod_cidr: Network4 = Field(default="10.244.0.0/16", validate_default=True)
    node_mask: int = Field(default=24, ge=16, le=28, description="Size of each node's pod range.")
    service_cidr: Network4 = Field(default="10.96.0.0/12", validate_default=True)
    domain: str = "cluster.local"

    @property
    def dns_address(self) -> IPv4Address:
        """Cluster DNS: the tenth address of the service range, as Talos and kubeadm choose it."""
        return self.service_cidr.network_address + 10


class Lan(Model):
    """The LAN whose clients open LoadBalancer addresses, and how nodes sit on it."""

    cidr: Network4
    vlan_id: VlanId
    tagged: bool = Field(
        default=False,
        description="false: node addresses are in the LAN itself; true: nodes get a tagged sub-interface.",
    )
    gateway: Address4 | None = None

    @property
    def link(self) -> str:
        """Kernel name of the tagged sub-interface, the same on every node."""
        return f"vlan{self.vlan_id}"


class Cluster(Model):
    """A Talos cluster with Cilium as its whole network."""

    name: DnsLabel
    endpoint: Endpoint
    versions: Versions = Versions()
    network: Network
    lan: Lan
    nodes: tuple[Node, ...] = Field(min_length=1)
    talos: Talos = Talos()
    cilium: Cilium = Cilium()
    load_balancer: LoadBalancer
    ingress: Ingress = Ingress()
    timeouts: Timeouts = Timeouts()

    @cached_property
    def control_planes(self) -> tuple[Node, ...]:
        """Control planes by name, so that the order in the file does not matter."""
        return tuple(sorted((node for node in self.nodes if node.is_control_plane), key=lambda node: node.name))

    @cached_property
    def workers(self) -> tuple[Node, ...]:
        """Workers by name."""
        return tuple(sorted((node for node in self.nodes if not node.is_control_plane), key=lambda node: node.name))

    @cached_property
    def requested(self) -> tuple[Reservation, ...]:
        """Every Service that has an address of its own, the ingress first."""
        ingress = self.ingress
        if ingress.controller == "none" or ingress.address is None:
            return self.load_balancer.reservations
        own = Reservation.model_construct(namespace=ingress.namespace, name=ingress.name, address=ingress.address)
        return (own, *self.load_balancer.reservations)

    @cached_property
    def schedule_on_control_planes(self) -> bool:
        """Whether pods may run on control planes: as configured, else only where there is no worker."""
        chosen = self.talos.schedule_on_control_planes
        return chosen if chosen is not None else not self.workers

    @cached_property
    def announcing_nodes(self) -> tuple[Node, ...]:
        """The nodes that the L2 policy selects."""
        selector = self.load_balancer.node_selector
        if selector is not None:
            return tuple(n for n in self.nodes if selector.items() <= n.labels.items())
        return self.workers or self.control_planes

    @cached_property
    def interfaces(self) -> tuple[str, ...]:
        """Anchored regular expressions of the links that announce; empty where they cannot be known."""
        if self.load_balancer.interfaces is not None:
            return self.load_balancer.interfaces
        if self.lan.tagged:
            return (f"^{self.lan.link}$",)
        names = {node.interface.name for node in self.announcing_nodes if node.interface.name}
        return tuple("^" + name.replace(".", r"\.") + "$" for name in sorted(names))
