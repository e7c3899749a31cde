"""The whole stack config: `homelab:cluster`."""

from functools import cached_property
from ipaddress import IPv4Address

from pydantic import Field

from model.base import Model
from model.cilium import Cilium
from model.kubernetes import Ingress, LoadBalancer, Reservation
from model.nodes import Node, Talos, Timeouts, announcers
from model.types import Address4, DnsLabel, DnsName, Network4, PlainVersion, PrefixedVersion, VlanId


class Versions(Model):
    """Pinned versions; the support matrix is checked before anything is created."""

    talos: PrefixedVersion = Field(
        default="v1.13.0", description="Talos release; talosctl's minor must match."
    )
    kubernetes: PrefixedVersion = Field(default="v1.36.3", description="Kubernetes release.")
    cilium: PlainVersion = Field(default="1.20.2", description="Cilium release and version of its chart.")


class Endpoint(Model):
    """Where the Kubernetes API answers: a VIP shared by the control planes, or a given host."""

    vip: Address4 | None = Field(default=None, description="Address in network.nodeCidr, moved by Talos.")
    host: DnsName | None = Field(default=None, description="DNS name or address of your own load balancer.")
    port: int = Field(default=6443, ge=1, le=65535, description="Port of the API at the endpoint.")

    @property
    def url(self) -> str:
        """`https://host:port`, as Talos wants it."""
        return f"https://{self.vip or self.host}:{self.port}"


class AddressRange(Model):
    """Inclusive range of addresses."""

    start: Address4 = Field(description="First address.")
    stop: Address4 = Field(description="Last address.")


class Network(Model):
    """Ranges and services of the node network and of Kubernetes."""

    node_cidr: Network4 = Field(description="The network of the nodes' addresses.")
    gateway: Address4 = Field(description="Default gateway, in nodeCidr.")
    nameservers: tuple[Address4, ...] = Field(min_length=1, description="DNS servers of the nodes.")
    ntp_servers: tuple[DnsName, ...] = Field(
        default=("time.cloudflare.com",),
        min_length=1,
        description="Time servers of the nodes; nothing starts before the clock is right.",
    )
    dhcp_range: AddressRange | None = Field(
        default=None,
        description="What the DHCP server gives away; the pool keeps clear of it.",
    )
    pod_cidr: Network4 = Field(
        default="10.244.0.0/16",
        validate_default=True,
        description="Addresses of pods, cut into one range of nodeMask per node.",
    )
    node_mask: int = Field(default=24, ge=16, le=28, description="Prefix length of each node's pod range.")
    service_cidr: Network4 = Field(
        default="10.96.0.0/12",
        validate_default=True,
        description="Cluster addresses of Services; the tenth is the cluster DNS.",
    )
    domain: DnsName = Field(default="cluster.local", description="DNS domain of the cluster.")

    @property
    def dns_address(self) -> IPv4Address:
        """Cluster DNS: the tenth address of the service range, as Talos and kubeadm choose it."""
        return self.service_cidr.network_address + 10


class Lan(Model):
    """The LAN whose clients open LoadBalancer addresses, and how nodes sit on it."""

    cidr: Network4 = Field(description="The LAN's network; the pool lies in it.")
    vlan_id: VlanId = Field(description="VLAN id, 1 to 4094.")
    tagged: bool = Field(
        default=False,
        description="false: node addresses are in the LAN itself; true: nodes get a tagged sub-interface.",
    )
    gateway: Address4 | None = Field(default=None, description="Router of the LAN, kept out of the pool.")

    @property
    def link(self) -> str:
        """Kernel name of the tagged sub-interface, the same on every node."""
        return f"vlan{self.vlan_id}"


class Cluster(Model):
    """A Talos cluster with Cilium as its whole network."""

    name: DnsLabel = Field(description="Name of the cluster, of its contexts and of its etcd.")
    endpoint: Endpoint = Field(description="Where the Kubernetes API answers.")
    versions: Versions = Field(default=Versions(), description="Pinned versions.")
    network: Network = Field(description="The node network, pods and Services.")
    lan: Lan = Field(description="The LAN that reaches LoadBalancer addresses.")
    nodes: tuple[Node, ...] = Field(min_length=1, description="The machines; their order does not matter.")
    talos: Talos = Field(default=Talos(), description="Talos: image, patches, how far a change may go.")
    cilium: Cilium = Field(default=Cilium(), description="How Cilium is installed.")
    load_balancer: LoadBalancer = Field(description="Pool and announcements.")
    ingress: Ingress = Field(default=Ingress(), description="The Service that asks for its address.")
    timeouts: Timeouts = Field(default=Timeouts(), description="How long each gate waits.")

    @cached_property
    def control_planes(self) -> tuple[Node, ...]:
        """Control planes by name, so that the order in the file does not matter."""
        return tuple(
            sorted((node for node in self.nodes if node.is_control_plane), key=lambda node: node.name)
        )

    @cached_property
    def workers(self) -> tuple[Node, ...]:
        """Workers by name."""
        return tuple(
            sorted((node for node in self.nodes if not node.is_control_plane), key=lambda node: node.name)
        )

    @cached_property
    def ingress_reservation(self) -> Reservation | None:
        """The Service of the ingress with its address; None where there is no ingress."""
        ingress = self.ingress
        if ingress.controller == "none" or ingress.address is None:
            return None
        return Reservation.model_construct(
            namespace=ingress.namespace, name=ingress.service_name, address=ingress.address
        )

    @cached_property
    def requested(self) -> tuple[Reservation, ...]:
        """Every Service that has an address of its own, the ingress first."""
        own = self.ingress_reservation
        return (*([own] if own else []), *self.load_balancer.reservations)

    @cached_property
    def schedule_on_control_planes(self) -> bool:
        """Whether pods may run on control planes: as configured, else only where there is no worker."""
        chosen = self.talos.schedule_on_control_planes
        return chosen if chosen is not None else not self.workers

    @cached_property
    def announcing_nodes(self) -> tuple[Node, ...]:
        """The nodes that the L2 policy selects."""
        return announcers(self.nodes, self.load_balancer.node_selector)

    @cached_property
    def interfaces(self) -> tuple[str, ...]:
        """Anchored regular expressions of the links that announce; empty where they cannot be known."""
        if self.load_balancer.interfaces is not None:
            return self.load_balancer.interfaces
        if self.lan.tagged:
            return (f"^{self.lan.link}$",)
        names = {node.interface.name for node in self.announcing_nodes if node.interface.name}
        return tuple("^" + name.replace(".", r"\.") + "$" for name in sorted(names))
