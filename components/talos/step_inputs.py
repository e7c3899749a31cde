"""What each Talos step is told: pure functions of the config and of what earlier steps returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.step_command import Step, digest
from components.talos.machine_config import install_image, program_patch, user_patches

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pulumi

    from model import Cluster, Node

IPAM_MODE = "kubernetes"
"""Pod addresses come from each Node's range, which Kubernetes gives out; never changed on a live cluster."""

OFFLINE = 120.0
"""Seconds for a step that only computes; many of them share the cores of a small workstation."""


def addresses(nodes: Iterable[Node]) -> str:
    """Return `cp1=10.0.50.11 cp2=10.0.50.12`."""
    return " ".join(f"{node.name}={node.address}" for node in nodes)


def network(cluster: Cluster) -> Step:
    """Pin the ranges that a live cluster cannot change; a later change of them is refused."""
    network = cluster.network
    return Step(
        name="network-pinned",
        update="network-kept",
        timeout=OFFLINE,
        environment={
            "POD_CIDR": str(network.pod_cidr),
            "NODE_MASK": str(network.node_mask),
            "SERVICE_CIDR": str(network.service_cidr),
            "IPAM_MODE": IPAM_MODE,
        },
    )


def secrets(cluster: Cluster) -> Step:
    """Make the cluster's identity: CA keys, tokens, encryption secrets."""
    return Step(
        name="secrets",
        timeout=OFFLINE,
        environment={"TALOS_VERSION": cluster.versions.talos},
        secret_output=True,
    )


def talosconfig(cluster: Cluster, secrets: pulumi.Input[str]) -> Step:
    """Issue the administrator's client certificate; valid for a year."""
    return Step(
        name="talosconfig",
        timeout=OFFLINE,
        environment={
            "CLUSTER_NAME": cluster.name,
            "ENDPOINT": cluster.endpoint.url,
            "TALOS_VERSION": cluster.versions.talos,
            "CONTROL_PLANES": addresses(cluster.control_planes),
            "CREDENTIALS_SERIAL": str(cluster.talos.credentials_serial),
        },
        secrets={"secrets": secrets},
        secret_output=True,
    )


def machine_config_environment(cluster: Cluster, node: Node) -> dict[str, str]:
    """Return everything but the secrets that decides a node's machine config."""
    patches = {f"PATCH_{n}": text for n, text in enumerate(user_patches(cluster, node), start=1)}
    return {
        "CLUSTER_NAME": cluster.name,
        "ENDPOINT": cluster.endpoint.url,
        "ROLE": node.role,
        "TALOS_VERSION": cluster.versions.talos,
        "KUBERNETES_VERSION": cluster.versions.kubernetes,
        "INSTALL_IMAGE": install_image(cluster),
        "NODE": node.name,
        "PATCH": program_patch(cluster, node),
        **patches,
    }


def machine_config(cluster: Cluster, node: Node, secrets: pulumi.Input[str]) -> Step:
    """Generate, patch and validate a node's machine config, offline."""
    return Step(
        name="machine-config",
        timeout=OFFLINE,
        environment=machine_config_environment(cluster, node),
        secrets={"secrets": secrets},
        secret_output=True,
    )


def apply(
    cluster: Cluster,
    node: Node,
    machine_config: pulumi.Input[str],
    talosconfig: pulumi.Input[str],
) -> Step:
    """Reach a node, give it its machine config, wait until it is back with its own API."""
    limits = cluster.timeouts
    return Step(
        name="apply",
        timeout=limits.reachable + limits.configured,
        environment={
            "CLUSTER_NAME": cluster.name,
            "NODE": node.name,
            "ADDRESS": str(node.address),
            "MAINTENANCE_ADDRESS": str(node.maintenance_address or node.address),
            "APPLY_MODE": cluster.talos.apply_mode,
            "REACHABLE_TIMEOUT": str(round(limits.reachable)),
        },
        secrets={"machineConfig": machine_config, "talosconfig": talosconfig},
    )


def reset(cluster: Cluster, node: Node, talosconfig: pulumi.Input[str]) -> Step:
    """Run nothing now; wipe the node when the resource is deleted."""
    return Step(
        delete="reset",
        timeout=cluster.timeouts.configured,
        environment={"CLUSTER_NAME": cluster.name, "NODE": node.name, "ADDRESS": str(node.address)},
        secrets={"talosconfig": talosconfig},
    )


def bootstrap(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Start etcd on the first control plane; the others join by themselves."""
    return Step(
        name="bootstrap",
        timeout=cluster.timeouts.bootstrap,
        environment={
            "CONTROL_PLANES": addresses(cluster.control_planes),
            "BOOTSTRAP_NODE": cluster.control_planes[0].name,
        },
        secrets={"talosconfig": talosconfig},
    )


def etcd(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Wait until every control plane is a healthy member."""
    return Step(
        name="etcd",
        timeout=cluster.timeouts.etcd,
        environment={"CONTROL_PLANES": addresses(cluster.control_planes)},
        secrets={"talosconfig": talosconfig},
    )


def kubeconfig(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Issue the administrator's kubeconfig; its client certificate is valid for a year."""
    return Step(
        name="kubeconfig",
        timeout=cluster.timeouts.api,
        environment={
            "ENDPOINT": cluster.endpoint.url,  # it names the server: another endpoint, another kubeconfig
            "CONTROL_PLANES": addresses(cluster.control_planes),
            "CREDENTIALS_SERIAL": str(cluster.talos.credentials_serial),
        },
        secrets={"talosconfig": talosconfig},
        secret_output=True,
    )


def api_ready(cluster: Cluster, kubeconfig: pulumi.Input[str]) -> Step:
    """Wait until the Kubernetes API says it is ready at its endpoint."""
    return Step(
        name="api-ready",
        timeout=cluster.timeouts.api,
        environment={"ENDPOINT": cluster.endpoint.url},
        secrets={"kubeconfig": kubeconfig},
    )


def talos_health(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Wait for Talos's own checks of every node; they pass before there is a CNI."""
    return Step(
        name="talos-health",
        timeout=cluster.timeouts.nodes,
        environment={
            "CONTROL_PLANES": addresses(cluster.control_planes),
            "WORKERS": addresses(cluster.workers),
            "AFTER_CONFIG": config_digest(cluster),
        },
        secrets={"talosconfig": talosconfig},
    )


def config_digest(cluster: Cluster) -> str:
    """Return a short digest of all machine configs, so that health is asked again after each change."""
    nodes = (*cluster.control_planes, *cluster.workers)
    return digest([machine_config_environment(cluster, node) for node in nodes])
