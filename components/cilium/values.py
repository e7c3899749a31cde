"""Helm values of the Cilium chart as a pure function of the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.talos.machine_config import KUBE_PRISM_PORT
from components.talos.step_inputs import IPAM_MODE
from model.types import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model import Cluster
    from model.cilium import Cilium as CiliumConfig
    from model.cilium import Hubble

Values = dict[str, Any]

AGENT_CAPABILITIES = (
    "CHOWN",
    "KILL",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "SYS_ADMIN",
    "SYS_RESOURCE",
    "DAC_OVERRIDE",
    "FOWNER",
    "SETGID",
    "SETUID",
)
"""The chart's own list without SYS_MODULE and SYSLOG: Talos takes SYS_MODULE from every container."""

CLEAN_STATE_CAPABILITIES = ("NET_ADMIN", "SYS_ADMIN", "SYS_RESOURCE")


def helm_values(cluster: Cluster) -> Values:
    """Return the values of the release: the program's, with the user's merged over them."""
    return merge(program_values(cluster), cluster.cilium.values)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Values:
    """Return `base` with `over` merged into it as Helm does: maps are merged, anything else is replaced."""
    return {**base, **{key: _replace(base.get(key), value) for key, value in over.items()}}


def _replace(below: object, value: object) -> object:
    return merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value


def program_values(cluster: Cluster) -> Values:
    """Return what the program decides; sources for each value are in docs/cilium.md."""
    cilium = cluster.cilium
    return {
        "ipam": {"mode": IPAM_MODE},  # the chart's own default, 10.0.0.0/8, overlaps most LANs
        "kubeProxyReplacement": "true",
        "k8sServiceHost": "localhost",
        "k8sServicePort": KUBE_PRISM_PORT,
        "securityContext": {
            "capabilities": {
                "ciliumAgent": list(AGENT_CAPABILITIES),
                "cleanCiliumState": list(CLEAN_STATE_CAPABILITIES),
            },
        },
        "cgroup": {"autoMount": {"enabled": False}, "hostRoot": "/sys/fs/cgroup"},
        # Talos's host DNS is reached through the host's stack, which BPF host routing would skip.
        "bpf": {"hostLegacyRouting": True},
        **_routing(cluster),
        **_options(cilium),
        "l2announcements": _l2_announcements(cluster),
        "k8sClientRateLimit": cluster.load_balancer.client_rate_limit._asdict(),
        "operator": _operator(cluster),
        "rollOutCiliumPods": True,
        "hubble": _hubble(cilium.hubble),
    }


def _routing(cluster: Cluster) -> Values:
    """Return how packets get to other nodes, and on which links Cilium works."""
    values: Values = {"routingMode": cluster.cilium.routing_mode}
    if cluster.cilium.routing_mode == "native":
        # Every node has its address in network.nodeCidr, so each can be the next hop of every other.
        values |= {"ipv4NativeRoutingCIDR": str(cluster.network.pod_cidr), "autoDirectNodeRoutes": True}
    if cluster.cilium.devices is not None:
        links = [*cluster.cilium.devices, *([cluster.lan.link] if cluster.lan.tagged else [])]
        values["devices"] = list(dict.fromkeys(links))
    return values


def _options(cilium: CiliumConfig) -> Values:
    """Return what is off unless the config asks for it."""
    values: Values = {}
    if cilium.encryption == "wireguard":
        values["encryption"] = {"enabled": True, "type": "wireguard"}
    if cilium.bandwidth_manager.enabled:
        values["bandwidthManager"] = {"enabled": True, "bbr": cilium.bandwidth_manager.bbr}
    if cilium.gateway_api.enabled:
        # A gate has found the CRDs; the chart's own `auto` would ask the cluster at each render.
        values["gatewayAPI"] = {"enabled": True, "gatewayClass": {"create": "true"}}
    if cilium.metrics.agent:
        values["prometheus"] = {"enabled": True}
    return values


def _operator(cluster: Cluster) -> Values:
    return {
        # Replicas exclude each other on a node: a second one on a single node stays pending for ever.
        "replicas": cluster.cilium.operator_replicas or min(2, len(cluster.nodes)),
        "rollOutPods": True,
        "prometheus": {"enabled": cluster.cilium.metrics.operator},
    }


def _l2_announcements(cluster: Cluster) -> Values:
    leases = cluster.load_balancer.leases
    return {
        "enabled": True,
        "leaseDuration": format_duration(leases.duration),
        "leaseRenewDeadline": format_duration(leases.renew_deadline),
        "leaseRetryPeriod": format_duration(leases.retry_period),
    }


def _hubble(hubble: Hubble) -> Values:
    if not hubble.enabled:
        return {"enabled": False}
    return {
        "enabled": True,
        # The chart's default makes new certificates at each render: a diff in each preview.
        "tls": {"auto": {"enabled": True, "method": "cronJob"}},
        "relay": {"enabled": hubble.relay, "rollOutPods": True},
        "ui": {"enabled": hubble.ui, "rollOutPods": True},
        **({"metrics": {"enabled": list(hubble.metrics)}} if hubble.metrics else {}),
    }
