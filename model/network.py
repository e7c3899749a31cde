"""Sections `network`, `lan` and `endpoint` of the stack file: ranges, VLAN, and where the API answers."""

from ipaddress import IPv4Address

from pydantic import Field

from model.strict import Model
from model.types import Address4, DnsName, Network4, VlanId


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
        # pydantic checks no default otherwise, and the text would never become a network.
        validate_default=True,
        description="Addresses of pods, cut into one range of nodeMask per node.",
    )
    node_mask: int = Field(default=24, ge=16, le=28, description="Prefix length of each node's pod range.")
    service_cidr: Network4 = Field(
        default="10.96.0.0/12",
        # As above: a default that is not checked stays text.
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
