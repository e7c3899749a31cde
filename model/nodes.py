"""Nodes and what Talos is told about them."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from model.base import Model
from model.types import Address4, DiskPath, DnsLabel, LinkName, MacAddress, SchematicId, Seconds


class NodeInterface(Model):
    """The node's network card: its kernel link name, or its MAC address (exactly one of them)."""

    name: LinkName | None = Field(default=None, description="Kernel name of the link, for example eno1.")
    mac: MacAddress | None = Field(default=None, description="Permanent MAC address, lower case.")


class Node(Model):
    """One machine of the cluster."""

    name: DnsLabel = Field(description="Host name, name of the Kubernetes Node and key of its resources.")
    role: Literal["controlplane", "worker"] = Field(description="Whether it runs etcd and the API server.")
    address: Address4 = Field(description="Address in network.nodeCidr: Talos API, kubelet, etcd.")
    maintenance_address: Address4 | None = Field(
        default=None,
        description="Where the node answers in maintenance mode, if DHCP gives it another address there.",
    )
    interface: NodeInterface = Field(description="The network card, by name or by MAC address.")
    lan_address: Address4 | None = Field(
        default=None,
        description="Address on the tagged sub-interface; needed exactly where lan.tagged is true.",
    )
    disk: DiskPath | None = Field(default=None, description="Install disk, for example /dev/nvme0n1.")
    disk_selector: dict[str, Any] | None = Field(
        default=None,
        description="Talos installDiskSelector, instead of disk.",
    )
    labels: dict[str, str] = Field(default={}, description="Labels of the Kubernetes Node.")
    patches: tuple[dict[str, Any], ...] = Field(default=(), description="Talos patches for this node only.")

    @property
    def is_control_plane(self) -> bool:
        """Whether the node runs etcd and the Kubernetes API server."""
        return self.role == "controlplane"

    @property
    def given_labels(self) -> dict[str, str]:
        """The labels that the node gets by itself, as far as the config tells."""
        role = {"node-role.kubernetes.io/control-plane": ""} if self.is_control_plane else {}
        return {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", **role}

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels a selector sees: those the node gets by itself and those of the config."""
        return {**self.given_labels, **self.labels}


def announcers(nodes: Iterable[Node], selector: Mapping[str, str] | None) -> tuple[Node, ...]:
    """Return the nodes an L2 policy selects, by name; by default workers, or all if there are none."""
    ordered = sorted(nodes, key=lambda node: node.name)
    if selector is not None:
        return tuple(node for node in ordered if selector.items() <= node.all_labels.items())
    workers = tuple(node for node in ordered if not node.is_control_plane)
    return workers or tuple(ordered)


class Patches(Model):
    """Talos strategic merge patches of the user, by who gets them."""

    all: tuple[dict[str, Any], ...] = Field(default=(), description="For every node.")
    control_plane: tuple[dict[str, Any], ...] = Field(default=(), description="For control planes.")
    worker: tuple[dict[str, Any], ...] = Field(default=(), description="For workers.")


class Talos(Model):
    """How Talos is installed and how far a change may go."""

    schematic: SchematicId | None = Field(
        default=None,
        description="Image Factory schematic id (64 hex digits); default: the installer without extensions.",
    )
    apply_mode: Literal["no-reboot", "staged", "auto"] = Field(
        default="no-reboot",
        description="no-reboot refuses a change that needs a reboot; auto reboots, one node at a time.",
    )
    schedule_on_control_planes: bool | None = Field(
        default=None,
        description="Default: only where there is no worker.",
    )
    patches: Patches = Field(default=Patches(), description="Talos patches: for all nodes, then by role.")
    protect: bool = Field(
        default=True,
        description="Refuse to delete secrets, bootstrap, Cilium and address pools until set to false.",
    )
    reset_on_destroy: bool = Field(
        default=False, description="`pulumi destroy` wipes the nodes. Never by default."
    )
    credentials_serial: int = Field(
        default=1,
        ge=1,
        description="Raise it to renew kubeconfig and talosconfig (client certificates live a year).",
    )


class Timeouts(Model):
    """How long each gate waits before it says what is missing."""

    reachable: Seconds = Field(default=600.0, description="A node answers in maintenance mode or as ours.")
    configured: Seconds = Field(default=1200.0, description="Applied, installed, rebooted, secure API up.")
    bootstrap: Seconds = Field(default=600.0, description="etcd is told to form a cluster, once.")
    etcd: Seconds = Field(default=600.0, description="Every control plane is a healthy etcd member.")
    api: Seconds = Field(default=600.0, description="The Kubernetes API answers at the endpoint.")
    cilium: Seconds = Field(default=900.0, description="Cilium is released and rolled out.")
    crds: Seconds = Field(default=300.0, description="Pool and policy kinds are established.")
    nodes: Seconds = Field(default=600.0, description="Every node is Ready.")
    pool: Seconds = Field(default=120.0, description="The pools have no conflict.")
    address: Seconds = Field(default=180.0, description="A Service holds the address it asked for.")
    lease: Seconds = Field(default=120.0, description="A node holds the lease of a requested address.")
