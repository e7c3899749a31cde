"""What each Talos step is told: pure functions of the config and of what earlier steps returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi

from components.step_command import Step, digest
from components.talos.machine_config import install_image, program_patch, user_patches
from steps import inputs
from steps.environment import Peer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from model import Cluster, Node

IPAM_MODE = "kubernetes"
"""Pod addresses come from each Node's range, which Kubernetes gives out; never changed on a live cluster."""

OFFLINE = 120.0
"""Seconds for a step that only computes; many of them share the cores of a small workstation."""


def peers(nodes: Iterable[Node]) -> tuple[Peer, ...]:
    """Return the nodes by name and address."""
    return tuple(Peer(node.name, str(node.address)) for node in nodes)


def network(cluster: Cluster) -> Step:
    """Pin the ranges that a live cluster cannot change; a later change of them is refused."""
    network = cluster.network
    return Step(
        inputs=inputs.RangesInputs(
            pod_cidr=str(network.pod_cidr),
            node_mask=str(network.node_mask),
            service_cidr=str(network.service_cidr),
            ipam_mode=IPAM_MODE,
        ),
        update=inputs.KeptRangesInputs.STEP,
        timeout=OFFLINE,
    )


def secrets(cluster: Cluster) -> Step:
    """Make the cluster's identity: CA keys, tokens, encryption secrets."""
    return Step(
        inputs=inputs.SecretsInputs(talos_version=cluster.versions.talos),
        timeout=OFFLINE,
        secret_output=True,
    )


def talosconfig(cluster: Cluster, secrets: pulumi.Input[str]) -> Step:
    """Issue the administrator's client certificate; valid for a year."""
    return Step(
        inputs=inputs.TalosconfigInputs(
            cluster_name=cluster.name,
            endpoint=cluster.endpoint.url,
            talos_version=cluster.versions.talos,
            control_planes=peers(cluster.control_planes),
        ),
        # Raising the serial is how a person asks for new certificates; nothing else in the inputs changes.
        again=_serial(cluster),
        timeout=OFFLINE,
        secrets={"secrets": secrets},
        secret_output=True,
    )


def _serial(cluster: Cluster) -> dict[str, str]:
    return {"CREDENTIALS_SERIAL": str(cluster.talos.credentials_serial)}


def machine_config_inputs(cluster: Cluster, node: Node) -> inputs.MachineConfigInputs:
    """Return everything but the secrets that decides a node's machine config."""
    return inputs.MachineConfigInputs(
        cluster_name=cluster.name,
        endpoint=cluster.endpoint.url,
        role=node.role,
        talos_version=cluster.versions.talos,
        kubernetes_version=cluster.versions.kubernetes,
        install_image=install_image(cluster),
        node=node.name,
        patch=program_patch(cluster, node),
        user_patches=tuple(user_patches(cluster, node)),
    )


def machine_config(cluster: Cluster, node: Node, secrets: pulumi.Input[str]) -> Step:
    """Generate, patch and validate a node's machine config, offline."""
    return Step(
        inputs=machine_config_inputs(cluster, node),
        timeout=OFFLINE,
        secrets={"secrets": secrets},
        secret_output=True,
    )


def preflight(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Look at all machines before any is touched; at a change, judge them by the last result."""
    return Step(
        inputs=inputs.PreflightInputs(
            talos_version=cluster.versions.talos,
            machines="\n".join(
                json.dumps(machine(cluster, node)) for node in (*cluster.control_planes, *cluster.workers)
            ),
            reinstall=tuple(sorted(cluster.talos.reinstall)),
            reachable_timeout=cluster.timeouts.reachable,
        ),
        update=inputs.PreflightInputs.STEP,
        timeout=cluster.timeouts.reachable + OFFLINE,
        secrets={"talosconfig": talosconfig},
    )


def machine(cluster: Cluster, node: Node) -> dict[str, Any]:
    """Return what the preflight looks for on a machine; a link that a patch makes is not looked for."""
    card = node.interface.name or ""
    return {
        "name": node.name,
        "address": str(node.address),
        "maintenance_address": str(node.maintenance_address or node.address),
        # A bond that a patch makes does not exist before the config is applied.
        "card": "" if card in made_links(cluster, node) else card,
        "mac": node.interface.mac or "",
        "disk": node.disk or "",
        "selector": node.disk_selector or {},
    }


def made_links(cluster: Cluster, node: Node) -> frozenset[str]:
    """Return the names of the documents in a node's patches: bonds, bridges and aliases are no hardware."""
    patches = cluster.talos.patches
    role = patches.control_plane if node.is_control_plane else patches.worker
    return frozenset(
        str(patch.get("name"))
        for patch in (*patches.all, *role, *node.patches)
        if patch.get("kind") not in (None, "LinkConfig", "EthernetConfig", "DHCPv4Config", "DHCPv6Config")
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
        inputs=inputs.ApplyInputs(
            cluster_name=cluster.name,
            node=node.name,
            address=str(node.address),
            maintenance_address=str(node.maintenance_address or node.address),
            apply_mode=cluster.talos.apply_mode,
            reachable_timeout=limits.reachable,
            fingerprint=node.fingerprint,
            mac=node.interface.mac,
            reinstall=node.name if node.name in cluster.talos.reinstall else None,
        ),
        update=inputs.ApplyInputs.STEP,
        timeout=limits.reachable + limits.configured,
        secrets={"machineConfig": machine_config, "talosconfig": talosconfig},
    )


def nodes(
    cluster: Cluster,
    machine_configs: Mapping[str, pulumi.Input[str]],
    kubeconfig: pulumi.Input[str],
    talosconfig: pulumi.Input[str],
) -> Step:
    """Bring the set of nodes to the configuration, one node at a time; at the end wipe it, if that is asked.

    Args:
        cluster: the checked config.
        machine_configs: secret, by node.
        kubeconfig: to cordon and delete the Nodes that leave.
        talosconfig: to reach the nodes.
    """
    wanted = (*cluster.control_planes, *cluster.workers)
    return Step(
        inputs=inputs.NodesInputs(
            nodes="\n".join(_line(cluster, node) for node in wanted),
            apply_mode=cluster.talos.apply_mode,
            # Among the inputs, so that turning it off is an update of this resource and deletes nothing.
            reset_on_destroy="yes" if cluster.talos.reset_on_destroy else "no",
            acknowledge=cluster.talos.acknowledge,
        ),
        update=inputs.NodesInputs.STEP,
        delete=inputs.NodesEndInputs.STEP,
        # One node after the other, each with the time that a reboot and an install may take.
        timeout=cluster.timeouts.configured * len(wanted),
        secrets={
            "configs": pulumi.Output.json_dumps(dict(machine_configs)),
            "kubeconfig": kubeconfig,
            "talosconfig": talosconfig,
        },
    )


def _line(cluster: Cluster, node: Node) -> str:
    """Return what a preview shows of a node: name, role, address, versions, digest of its plain config."""
    versions = cluster.versions
    # Of the readable part: a preview must show a change without showing a secret.
    config = digest(machine_config_inputs(cluster, node).environment())
    return f"{node.name} {node.role} {node.address} {versions.talos} {versions.kubernetes} {config}"


def bootstrap(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Start etcd on the first control plane; the others join by themselves."""
    return Step(
        inputs=inputs.BootstrapInputs(
            control_planes=peers(cluster.control_planes), bootstrap_node=cluster.control_planes[0].name
        ),
        timeout=cluster.timeouts.bootstrap,
        secrets={"talosconfig": talosconfig},
    )


def etcd(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Wait until every control plane is a healthy member."""
    return Step(
        inputs=inputs.EtcdInputs(control_planes=peers(cluster.control_planes)),
        timeout=cluster.timeouts.etcd,
        secrets={"talosconfig": talosconfig},
    )


def kubeconfig(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Issue the administrator's kubeconfig; its client certificate is valid for a year."""
    return Step(
        inputs=inputs.KubeconfigInputs(control_planes=peers(cluster.control_planes)),
        # The kubeconfig names the server: another endpoint, another kubeconfig.
        again={"ENDPOINT": cluster.endpoint.url, **_serial(cluster)},
        timeout=cluster.timeouts.api,
        secrets={"talosconfig": talosconfig},
        secret_output=True,
    )


def api_ready(cluster: Cluster, kubeconfig: pulumi.Input[str]) -> Step:
    """Wait until the Kubernetes API says it is ready at its endpoint."""
    return Step(
        inputs=inputs.ApiReadyInputs(endpoint=cluster.endpoint.url),
        timeout=cluster.timeouts.api,
        secrets={"kubeconfig": kubeconfig},
    )


def talos_health(cluster: Cluster, talosconfig: pulumi.Input[str]) -> Step:
    """Wait for Talos's own checks of every node; they pass before there is a CNI."""
    return Step(
        inputs=inputs.TalosHealthInputs(
            control_planes=peers(cluster.control_planes), workers=peers(cluster.workers)
        ),
        again={"AFTER_CONFIG": config_digest(cluster)},
        timeout=cluster.timeouts.nodes,
        secrets={"talosconfig": talosconfig},
    )


def config_digest(cluster: Cluster) -> str:
    """Return a short digest of all machine configs, so that health is asked again after each change."""
    nodes = (*cluster.control_planes, *cluster.workers)
    return digest([machine_config_inputs(cluster, node).environment() for node in nodes])
