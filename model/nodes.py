"""Nodes and what Talos is told about them."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field

from model.strict import Model
from model.types import Address4, DiskPath, DnsLabel, Fingerprint, LinkName, MacAddress


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
    fingerprint: Fingerprint | None = Field(
        default=None,
        description="Of the certificate in maintenance mode, from the machine's console: only this machine "
        "gets the first configuration. It changes at every boot.",
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
        # Talos gives this label an empty value; a selector for `true` would match no node.
        role = {"node-role.kubernetes.io/control-plane": ""} if self.is_control_plane else {}
        return {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", **role}

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels a selector sees: those the node gets by itself and those of the config."""
        return {**self.given_labels, **self.labels}


def announcers(nodes: Iterable[Node], selector: Mapping[str, str] | None) -> tuple[Node, ...]:
    """Return the nodes an L2 policy selects, by name; by default workers, or all if there are none."""
    # Nodes that only change places in the stack file must not show up as a change.
    ordered = sorted(nodes, key=lambda node: node.name)
    if selector is not None:
        return tuple(node for node in ordered if selector.items() <= node.all_labels.items())
    workers = tuple(node for node in ordered if not node.is_control_plane)
    return workers or tuple(ordered)
