"""Rules of the user's Talos patches: strategic merges that extend what the program writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.error_messages import closest
from model.faults import Fault
from model.rules.owned_keys import contradictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from model.nodes import Node
    from model.talos import Talos

_SECRETS = "keys and tokens come from the secrets bundle; a patch is readable in every preview"
_NO_KUBE_PROXY = "Cilium is the whole network of this cluster"

OWNED_PATHS = {
    "machine.type": "set role of the node instead",
    "machine.token": _SECRETS,
    "machine.ca": _SECRETS,
    "machine.install.disk": "set disk of the node instead",
    "machine.install.diskSelector": "set diskSelector of the node instead",
    "machine.install.image": "follows from talos.schematic and versions.talos",
    "machine.kubelet.image": "follows from versions.kubernetes",
    "machine.kubelet.nodeIP": "follows from network.nodeCidr",
    "machine.kubelet.extraArgs.node-ip": "follows from network.nodeCidr",
    "machine.features.kubePrism": "Cilium reaches the API through it",
    "machine.network.hostname": "set name of the node instead",
    "machine.network.nameservers": "set network.nameservers instead",
    "machine.time.servers": "set network.ntpServers instead",
    "cluster.id": _SECRETS,
    "cluster.secret": _SECRETS,
    "cluster.token": _SECRETS,
    "cluster.ca": _SECRETS,
    "cluster.aggregatorCA": _SECRETS,
    "cluster.serviceAccount": _SECRETS,
    "cluster.aescbcEncryptionSecret": _SECRETS,
    "cluster.secretboxEncryptionSecret": _SECRETS,
    "cluster.etcd.ca": _SECRETS,
    "cluster.clusterName": "set name of the cluster instead",
    "cluster.controlPlane.endpoint": "set endpoint of the cluster instead",
    "cluster.network.cni": _NO_KUBE_PROXY,
    "cluster.network.podSubnets": "set network.podCidr instead",
    "cluster.network.serviceSubnets": "set network.serviceCidr instead",
    "cluster.network.dnsDomain": "set network.domain instead",
    "cluster.proxy.disabled": _NO_KUBE_PROXY,
    "cluster.controlPlane.localAPIServerPort": "the VIP and KubePrism reach the API server on 6443",
    "cluster.apiServer.extraArgs.secure-port": "the VIP and KubePrism reach the API server on 6443",
    "cluster.controllerManager.extraArgs.node-cidr-mask-size": "set network.nodeMask instead",
    "cluster.controllerManager.extraArgs.cluster-cidr": "set network.podCidr instead",
    "cluster.controllerManager.extraArgs.service-cluster-ip-range": "set network.serviceCidr instead",
    "cluster.apiServer.extraArgs.service-cluster-ip-range": "set network.serviceCidr instead",
    "cluster.apiServer.image": "follows from versions.kubernetes",
    "cluster.controllerManager.image": "follows from versions.kubernetes",
    "cluster.scheduler.image": "follows from versions.kubernetes",
    "cluster.etcd.advertisedSubnets": "follows from network.nodeCidr",
    "cluster.allowSchedulingOnControlPlanes": "set talos.scheduleOnControlPlanes instead",
    "cluster.allowSchedulingOnMasters": "set talos.scheduleOnControlPlanes instead",
}

OWNED_KINDS = {
    "HostnameConfig": "set name of the node instead",
    "ResolverConfig": "set network.nameservers instead",
    "TimeSyncConfig": "set network.ntpServers instead",
    "Layer2VIPConfig": "set endpoint.vip instead",
}

# Documents of the program that a patch may extend, but not remove.
KEPT_KINDS = ("LinkAliasConfig", "LinkConfig", "VLANConfig")

_TOP_LEVEL = ("version", "debug", "persist", "machine", "cluster")

Placed = tuple[str, dict[str, Any]]


def patches_of_the_cluster(talos: Talos) -> Iterator[Fault]:
    """Patches under `talos.patches`."""
    yield from _faults(placed(talos))


def placed(talos: Talos) -> Iterator[Placed]:
    """Yield every patch under `talos.patches` with its path."""
    groups = {
        "all": talos.patches.all,
        "controlPlane": talos.patches.control_plane,
        "worker": talos.patches.worker,
    }
    for key, patches in groups.items():
        yield from ((f"talos.patches.{key}.{index}", patch) for index, patch in enumerate(patches))


def patches_of_nodes(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Patches of one node."""
    yield from _faults(placed_at_nodes(nodes))


def placed_at_nodes(nodes: tuple[Node, ...]) -> Iterator[Placed]:
    """Yield every patch of a node with its path."""
    for node in nodes:
        yield from ((f"nodes.{node.name}.patches.{n}", patch) for n, patch in enumerate(node.patches))


def _faults(patches: Iterable[Placed]) -> Iterator[Fault]:
    for path, patch in patches:
        if {"op", "path"} <= patch.keys():
            yield Fault(
                path,
                "looks like a JSON patch (RFC 6902), which Talos refuses for its multi-document config: "
                "write a strategic merge patch, the part of the config as it should be",
            )
        elif patch.keys() & {"kind", "apiVersion"}:
            yield from _document(path, patch)
        else:
            yield from _main_config(path, patch)


def _document(path: str, patch: dict[str, Any]) -> Iterator[Fault]:
    kind = patch.get("kind")
    # Talos refuses the whole config for a document whose version it does not know.
    if not isinstance(kind, str) or patch.get("apiVersion") != "v1alpha1":
        yield Fault(path, "a Talos document needs both: apiVersion v1alpha1, and its kind")
    elif kind in OWNED_KINDS:
        yield Fault(path, f"{kind} belongs to this program: {OWNED_KINDS[kind]}")
    elif kind in KEPT_KINDS and patch.get("$patch") == "delete":
        yield Fault(path, f"deletes a {kind}, which this program writes: a patch may only extend it")


def _main_config(path: str, patch: dict[str, Any]) -> Iterator[Fault]:
    for key in patch:
        if key not in _TOP_LEVEL:
            yield Fault(f"{path}.{key}", f"unknown key of a machine config{closest(key, _TOP_LEVEL)}")
    # What is owned is looked for in mappings; anything else would pass unseen.
    for key in ("machine", "cluster"):
        if key in patch and not isinstance(patch[key], dict):
            yield Fault(
                f"{path}.{key}", "must be a mapping of what is to change; remove the key if it is nothing"
            )
    sections = {key: value for key, value in patch.items() if isinstance(value, dict)}
    for owned, reason in contradictions(sections, OWNED_PATHS):
        yield Fault(f"{path}.{owned}", f"belongs to this program: {reason}")


RULES = (patches_of_the_cluster, patches_of_nodes)
