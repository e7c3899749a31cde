"""What was seen of a cluster, as plain frozen data: the checks and diagnoses are functions of it alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Interface, IPv4Network

SERVICE_NAMESPACE = "io.kubernetes.service.namespace"
SERVICE_NAME = "io.kubernetes.service.name"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One `matchExpressions` entry of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet it; `NotIn` also holds where the label is missing."""
        value = labels.get(self.key)
        # An operator that is not known selects nothing: a selector that is too wide would hide a fault.
        return {
            "In": value in self.values,
            "NotIn": value not in self.values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }.get(self.operator, False)

    def __str__(self) -> str:
        """As people write it: `zone in (a, b)`."""
        listed = f" ({', '.join(self.values)})" if self.values else ""
        return f"{self.key} {self.operator}{listed}"


@dataclass(frozen=True, slots=True)
class Selector:
    """A Kubernetes label selector; an empty one matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether all requirements hold."""
        return all(requirement.holds(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        """All requirements on one line."""
        return ", ".join(str(requirement) for requirement in self.requirements) or "everything"


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """An entry of `metadata.managedFields` that is not about the status.

    Attributes:
        index: Its place in the list.
    """

    index: int
    manager: str


@dataclass(frozen=True, slots=True)
class Block:
    """An inclusive range of addresses of a pool."""

    start: IPv4Address
    stop: IPv4Address

    def holds(self, address: IPv4Address) -> bool:
        """Tell whether the address lies in the range."""
        return self.start <= address <= self.stop


@dataclass(frozen=True, slots=True)
class Pool:
    """A CiliumLoadBalancerIPPool.

    Attributes:
        lacks: Why Cilium cannot use it, or empty.
        available: Free addresses by Cilium's own count, None if it has not counted.
        fields: Who holds fields of it.
    """

    name: str
    blocks: tuple[Block, ...]
    selector: Selector = Selector()
    disabled: bool = False
    lacks: str = ""
    available: int | None = None
    fields: tuple[FieldEntry, ...] = ()

    def holds(self, address: IPv4Address) -> bool:
        """Tell whether the address lies in one of its blocks."""
        return any(block.holds(address) for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Policy:
    """A CiliumL2AnnouncementPolicy.

    Attributes:
        interfaces: Regular expressions; empty means every device of the agent.
        faults: What Cilium's conditions say is wrong with it.
        fields: Who holds fields of it.
    """

    name: str
    interfaces: tuple[str, ...] = ()
    nodes: Selector = Selector()
    services: Selector = Selector()
    load_balancer_ips: bool = True
    faults: tuple[str, ...] = ()
    fields: tuple[FieldEntry, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of a Service."""

    number: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        """As people write it: `80/TCP`."""
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A Service of type LoadBalancer.

    Attributes:
        requested: Addresses it asks for, by annotation or by `spec.loadBalancerIP`.
        addresses: Addresses that it holds.
        reason: Cilium's reason why a request is not satisfied, or empty.
        judged: Whether LB-IPAM has said anything about it.
        local: Whether `externalTrafficPolicy` is Local.
        pods: Labels of the pods behind it.
        backend_nodes: Nodes with a ready endpoint.
        backend_addresses: Addresses of its ready endpoints.
    """

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    requested: tuple[IPv4Address, ...] = ()
    addresses: tuple[IPv4Address, ...] = ()
    reason: str = ""
    judged: bool = True
    load_balancer_class: str = ""
    sharing_key: str = ""
    sharing_namespaces: tuple[str, ...] = ()
    local: bool = False
    pods: Selector = Selector()
    ports: tuple[Port, ...] = ()
    backend_nodes: frozenset[str] = frozenset()
    backend_addresses: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def selectable(self) -> dict[str, str]:
        """The labels that a pool's or a policy's selector sees; Cilium adds namespace and name."""
        return {**self.labels, SERVICE_NAMESPACE: self.namespace, SERVICE_NAME: self.name}


@dataclass(frozen=True, slots=True)
class Lease:
    """The lease of a Service's announcement.

    Attributes:
        lacks: Why it does not prove that somebody announces, or empty.
    """

    holder: str
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class KubernetesNode:
    """A Kubernetes Node.

    Attributes:
        talos: Talos release by its OS image, for example `v1.13.0`; empty where it runs something else.
        kubernetes: Release of its kubelet.
    """

    name: str
    labels: Mapping[str, str]
    ready: bool = True
    talos: str = ""
    kubernetes: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A network link of a Talos node."""

    name: str
    addresses: tuple[IPv4Interface, ...] = ()
    up: bool = True

    def inside(self, network: IPv4Network) -> bool:
        """Tell whether one of its addresses lies in the network."""
        return any(address.ip in network for address in self.addresses)


@dataclass(frozen=True, slots=True)
class EtcdView:
    """What the control planes say of etcd.

    Attributes:
        members: Member id by control plane, empty where it is no healthy member.
        listed: Ids of the voting members, as etcd lists them.
        unknown: Why it is not known, or empty.
    """

    members: Mapping[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    unknown: str = "no talosconfig was given, so Talos cannot be asked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One look at a cluster.

    Attributes:
        kube_proxy: Names of DaemonSets and pods of kube-proxy.
        agent_lacks: What the rollout of the agent lacks, or empty.
        operator_lacks: What the operator lacks, or empty.
        agents: Nodes on which an agent has registered itself (CiliumNode objects).
        settings: The ConfigMap `cilium-config`.
        services: Those of type LoadBalancer.
        leases: Announcement leases by `namespace/name` of their Service.
        links: Links by node, as Talos reports them; a node that could not be asked is missing.
        links_unknown: Why no node was asked, or empty.
        server: Address of the API server that was asked, as host:port.
    """

    nodes: tuple[KubernetesNode, ...] = ()
    kube_proxy: tuple[str, ...] = ()
    agent_lacks: str = ""
    operator_lacks: str = ""
    agents: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    pools: tuple[Pool, ...] = ()
    policies: tuple[Policy, ...] = ()
    services: tuple[Service, ...] = ()
    leases: Mapping[str, Lease] = field(default_factory=dict)
    links: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)
    links_unknown: str = ""
    etcd: EtcdView = EtcdView()
    server: str = ""

    def service(self, namespace: str, name: str) -> Service | None:
        """Return the LoadBalancer Service of that name, or None."""
        return next((s for s in self.services if (s.namespace, s.name) == (namespace, name)), None)

    @property
    def agents_absent(self) -> str:
        """Why nothing answers on the LAN here: no agent has ever registered, although its pods are ready."""
        # While the rollout is unfinished, agents may still come.
        if self.agents or self.agent_lacks:
            return ""
        return "no Cilium agent really runs here (its pods are ready, but none has registered a CiliumNode)"


def matches(interfaces: tuple[str, ...], link: str) -> bool:
    """Tell whether a policy's expressions select a link; as in Go, without anchors they match anywhere."""
    return not interfaces or any(re.search(expression, link) for expression in interfaces)
