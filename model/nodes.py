"""Nodes and what Talos is told about them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from model.base import Model
from model.types import Address4, DnsLabel, LinkName, MacAddress, Seconds


class NodeInterface(Model):
    """The node's network card: its kernel link name, or its MAC address (exactly one of them)."""

    name: LinkName | None = None
    mac: MacAddress | None = None


class Node(Model):
    """One machine of the cluster."""

    name: DnsLabel = Field(description="Host name, name of the Kubernetes Node and key of its resources.")
    role: Literal["controlplane", "worker"]
    address: Address4 = Field(description="Address in network.nodeCidr: Talos API, kubelet, etcd.")
    maintenance_address: Address4 | None = Field(
        default=None,
        description="Where the node answers in maintenance mode, if DHCP gives it another address there.",
    )
    interface: NodeInterface
    lan_address: Address4 | None = Field(
        default=None,
        description="Address on the tagged sub-interface; needed exactly where lan.tagged is true.",
    )
    disk: str | None = Field(default=None, description="Install disk, for example /dev/nvme0n1.")
    disk_selector: dict[str, Any] | None = Field(default=None, description="Talos installDiskSelector.")
    labels: dict[str, str] = {}
    patches: tuple[dict[str, Any], ...] = Field(default=(), description="Talos patches for this node only.")

    @property
    def is_control_plane(self) -> bool:
        """Whether the node runs etcd and the Kubernetes API server."""
        return self.role == "controlplane"


class Patches(Model):
    """Talos strategic merge patches of the user, by who gets them."""

    all: tuple[dict[str, Any], ...] = ()
    control_plane: tuple[dict[str, Any], ...] = ()
    worker: tuple[dict[str, Any], ...] = ()


class Talos(Model):
    """How Talos is installed and how far a change may go."""

    schematic: str | None = Field(default=None, description="Image Factory schematic id (64 hex digits).")
    apply_mode: Literal["no-reboot", "staged", "auto"] = Field(
        default="no-reboot",
        description="no-reboot refuses a change that needs a reboot; auto reboots, one node at a time.",
    )
    schedule_on_control_planes: bool | None = Field(
        default=None,
        description="Default: only where there is no worker.",
    )
    patches: Patches = Patches()
    protect: bool = Field(
        default=True,
        description="Refuse to delete secrets, bootstrap and Cilium until this is set to false.",
    )
    reset_on_destroy: bool = Field(default=False, description="`pulumi destroy` wipes the nodes. Never by default.")
    credentials_serial: int = Field(
        default=1,
        ge=1,
        description="Raise it to renew kubeconfig and talosconfig (client certificates live a year).",
    )


class Timeouts(Model):
    """How long each gate waits before it says what is missing."""

    reachable: Seconds = Field(default=600.0, description="A node answers in maintenance mode or as ours.")
    configured: Seconds = Field(default=1200.0, description="Applied, installed, rebooted, secure API up.")
    bootstrap: Seconds = 600.0
    etcd: Seconds = 600.0
    api: Seconds = 600.0
    cilium: Seconds = 900.0
    crds: Seconds = 300.0
    nodes: Seconds = 600.0
    pool: Seconds = 120.0
    address: Seconds = 180.0
    lease: Seconds = 120.0
