"""The program's part of each node's machine config: Talos documents as a pure function of the config.

They are strategic merge patches over what `talosctl gen config` makes, and need Talos 1.12 or newer. They
hold no secret, so that a preview shows a change of a node as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv4Network

    from model import Cluster, Node

KUBE_PRISM_PORT = 7445
"""Port of Talos's API server proxy on every node's loopback; it needs no CNI, so Cilium uses it."""

UPLINK = "uplink"
"""Alias of a network card that is chosen by its MAC address."""

VANILLA_SCHEMATIC = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
"""Image Factory schematic without any customization (SHA-256 of `customization: {}`)."""

DEFAULT_NODE_MASK = 24

Document = dict[str, Any]


def install_image(cluster: Cluster) -> str:
    """Return the installer image of the chosen schematic and Talos version."""
    schematic = cluster.talos.schematic or VANILLA_SCHEMATIC
    return f"factory.talos.dev/metal-installer/{schematic}:{cluster.versions.talos}"


def program_patch(cluster: Cluster, node: Node) -> str:
    """Return the program's patch of a node as multi-document YAML."""
    return to_yaml(documents(cluster, node))


def user_patches(cluster: Cluster, node: Node) -> list[str]:
    """Return the user's patches of a node as YAML in the order in which they apply: all, role, node."""
    patches = cluster.talos.patches
    role = patches.control_plane if node.is_control_plane else patches.worker
    return [to_yaml([patch]) for patch in (*patches.all, *role, *node.patches)]


def to_yaml(documents: Iterable[Document]) -> str:
    """Return documents as YAML; strings that YAML 1.1 reads as booleans, like `off`, come out quoted."""
    return yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=False)


def documents(cluster: Cluster, node: Node) -> list[Document]:
    """Return the program's documents for a node, the v1alpha1 one first."""
    return [
        {"machine": _machine(cluster, node), "cluster": _cluster(cluster, node)},
        _document("HostnameConfig", auto="off", hostname=node.name),
        *_links(cluster, node),
        _document("ResolverConfig", nameservers=[{"address": str(a)} for a in cluster.network.nameservers]),
        _document("TimeSyncConfig", ntp={"servers": list(cluster.network.ntp_servers)}),
    ]


def _document(kind: str, **fields: object) -> Document:
    return {"apiVersion": "v1alpha1", "kind": kind, **fields}


def _machine(cluster: Cluster, node: Node) -> Document:
    disk = {"disk": node.disk} if node.disk else {"diskSelector": node.disk_selector}
    machine: Document = {
        "install": {**disk, "image": install_image(cluster), "wipe": False},
        "kubelet": {"nodeIP": {"validSubnets": [str(cluster.network.node_cidr)]}},
        "features": {
            "kubePrism": {"enabled": True, "port": KUBE_PRISM_PORT},
            "hostDNS": {"enabled": True, "forwardKubeDNSToHost": True},
        },
    }
    if node.labels:
        machine["nodeLabels"] = dict(sorted(node.labels.items()))
    return machine


def _cluster(cluster: Cluster, node: Node) -> Document:
    network = cluster.network
    section: Document = {
        "network": {
            "cni": {"name": "none"},
            "dnsDomain": network.domain,
            "podSubnets": [str(network.pod_cidr)],
            "serviceSubnets": [str(network.service_cidr)],
        },
        "proxy": {"disabled": True},
    }
    return section | _control_plane(cluster) if node.is_control_plane else section


def _control_plane(cluster: Cluster) -> Document:
    network = cluster.network
    section: Document = {
        "allowSchedulingOnControlPlanes": cluster.schedule_on_control_planes,
        "etcd": {"advertisedSubnets": [str(network.node_cidr)]},
    }
    if network.node_mask != DEFAULT_NODE_MASK:
        section["controllerManager"] = {"extraArgs": {"node-cidr-mask-size": str(network.node_mask)}}
    return section


def _links(cluster: Cluster, node: Node) -> list[Document]:
    link = node.interface.name or UPLINK
    found = [] if node.interface.name else [_alias(node.interface.mac)]
    uplink = _document(
        "LinkConfig",
        name=link,
        addresses=_addresses(node.address, cluster.network.node_cidr),
        routes=[{"gateway": str(cluster.network.gateway)}],
    )
    return [*found, uplink, *_vlan(cluster, node, link), *_vip(cluster, node, link)]


def _alias(mac: str | None) -> Document:
    match = f'mac(link.permanent_addr) == "{mac}"'
    return _document("LinkAliasConfig", name=UPLINK, selector={"match": match})


def _vlan(cluster: Cluster, node: Node, parent: str) -> list[Document]:
    if not cluster.lan.tagged or node.lan_address is None:
        return []
    lan = cluster.lan
    addresses = _addresses(node.lan_address, lan.cidr)
    return [_document("VLANConfig", name=lan.link, vlanID=lan.vlan_id, parent=parent, addresses=addresses)]


def _vip(cluster: Cluster, node: Node, link: str) -> list[Document]:
    vip = cluster.endpoint.vip
    if vip is None or not node.is_control_plane:
        return []
    return [_document("Layer2VIPConfig", name=str(vip), link=link)]


def _addresses(address: IPv4Address, network: IPv4Network) -> list[dict[str, str]]:
    return [{"address": f"{address}/{network.prefixlen}"}]
