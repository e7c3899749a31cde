"""The whole stack config: `homelab:cluster`."""

from functools import cached_property

from pydantic import Field

from model.cilium import Cilium
from model.ingress import Ingress
from model.load_balancer import LoadBalancer, Reservation
from model.network import Endpoint, Lan, Network
from model.nodes import Node, announcers
from model.strict import Model
from model.talos import Talos
from model.timeouts import Timeouts
from model.types import DnsLabel
from model.versions import Versions


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
        # Checked with the ingress already, and the validator of an address takes text alone.
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
        # An untagged LAN is on the nodes' own cards, whose names differ from machine to machine.
        names = {node.interface.name for node in self.announcing_nodes if node.interface.name}
        # A dot in the name of a link, as in eno1.50, would otherwise match any character.
        return tuple("^" + name.replace(".", r"\.") + "$" for name in sorted(names))
