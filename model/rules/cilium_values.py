"""Rules of the Cilium release: what a user may change, and what belongs together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.rules.cilium_modes import value_at
from model.rules.owned_keys import contradictions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.cilium import Cilium

_KUBEPRISM = "Cilium reaches the API through KubePrism on every node"
_TALOS = "Talos mounts and restricts this, other values stop the agent"
_LEASES = "computed from loadBalancer.leases and loadBalancer.expectedServices"
_ANNOUNCE = "LoadBalancer addresses would not be announced"

# Most follow from another key: set in two places, they would contradict each other sooner or later.
OWNED_VALUES = {
    "kubeProxyReplacement": "there is no kube-proxy; see cilium.kubeProxyReplacement",
    "k8sServiceHost": _KUBEPRISM,
    "k8sServicePort": _KUBEPRISM,
    "k8sServiceHostRef": _KUBEPRISM,
    "ipam.mode": "pod addresses come from Kubernetes, as network.podCidr and network.nodeMask say",
    "routingMode": "set cilium.routingMode instead",
    "ipv4NativeRoutingCIDR": "with cilium.routingMode native it is network.podCidr",
    "devices": "set cilium.devices instead",
    "encryption.enabled": "set cilium.encryption instead",
    "encryption.type": "set cilium.encryption instead",
    "bandwidthManager": "set cilium.bandwidthManager instead",
    "gatewayAPI.enabled": "set cilium.gatewayApi.enabled instead",
    "gatewayAPI.gatewayClass.create": "it exists where cilium.gatewayApi.enabled says so",
    "prometheus.enabled": "set cilium.metrics.agent instead",
    "operator.prometheus.enabled": "set cilium.metrics.operator instead",
    "hubble.metrics.enabled": "set cilium.hubble.metrics instead",
    "operator.replicas": "set cilium.operatorReplicas instead",
    "ipam.operator.clusterPoolIPv4PodCIDRList": "set network.podCidr instead",
    "ipam.operator.clusterPoolIPv4MaskSize": "set network.nodeMask instead",
    "ipv4.enabled": "every range of this config is IPv4",
    "cgroup.autoMount": _TALOS,
    "cgroup.hostRoot": _TALOS,
    "securityContext.capabilities": _TALOS,
    "securityContext.privileged": _TALOS,
    "l2announcements.enabled": _ANNOUNCE,
    "l2announcements.leaseDuration": "set loadBalancer.leases.duration instead",
    "l2announcements.leaseRenewDeadline": "set loadBalancer.leases.renewDeadline instead",
    "l2announcements.leaseRetryPeriod": "set loadBalancer.leases.retryPeriod instead",
    "k8sClientRateLimit": _LEASES,
    "defaultLBServiceIPAM": "LoadBalancer addresses would not be assigned",
    "hubble.enabled": "set cilium.hubble.enabled instead",
    "hubble.relay.enabled": "set cilium.hubble.relay instead",
    "hubble.ui.enabled": "set cilium.hubble.ui instead",
    "ipv6.enabled": "every range of this config is IPv4",
    "enableLBIPAM": "LoadBalancer addresses would not be assigned",
    "namespaceOverride": "the program waits for Cilium in kube-system",
    "nodeSelector": "a node without an agent never becomes Ready",
    "agent": "without the agent nodes never become Ready",
    "operator.enabled": "without the operator there are no pools and no addresses",
    "operator.skipCRDCreation": "pools and policies need their kinds",
}

# Keys of the ConfigMap cilium-config, which extraConfig writes past the chart.
_OWNED_SETTINGS = frozenset(
    {
        "default-lb-service-ipam",
        "devices",
        "enable-ipv4",
        "enable-ipv6",
        "enable-l2-announcements",
        "enable-lb-ipam",
        "ipam",
        "k8s-client-burst",
        "k8s-client-qps",
        "kube-proxy-replacement",
        "l2-announcements-lease-duration",
        "l2-announcements-renew-deadline",
        "l2-announcements-retry-period",
        "routing-mode",
    }
)

# Services of these have no backend on any node, so no node would ever announce them (cilium/cilium#48799).
_NEVER_LOCAL = ("gatewayAPI.externalTrafficPolicy", "ingressController.service.externalTrafficPolicy")


def kube_proxy_is_replaced(cilium: Cilium) -> Iterator[Fault]:
    """The machine config disables kube-proxy, so nothing else makes Services work."""
    if cilium.kube_proxy_replacement is False:
        yield Fault(
            "cilium.kubeProxyReplacement",
            "false leaves the cluster without Services: Talos runs no kube-proxy here; set it to true",
        )


def hubble_parts_need_each_other(cilium: Cilium) -> Iterator[Fault]:
    """The chart refuses a UI without relay and a relay without Hubble."""
    hubble = cilium.hubble
    if hubble.ui and not hubble.relay:
        yield Fault("cilium.hubble.ui", "needs the relay: set cilium.hubble.relay to true")
    if hubble.relay and not hubble.enabled:
        yield Fault("cilium.hubble.relay", "needs Hubble: set cilium.hubble.enabled to true")
    if hubble.metrics and not hubble.enabled:
        yield Fault("cilium.hubble.metrics", "needs Hubble: set cilium.hubble.enabled to true")


def default_deny_spares_the_system(cilium: Cilium) -> Iterator[Fault]:
    """DNS, and what everything else needs, runs in kube-system."""
    namespaces = cilium.network_policies.default_deny
    for index, namespace in enumerate(namespaces):
        path = f"cilium.networkPolicies.defaultDeny.{index}"
        if namespace == "kube-system":
            yield Fault(path, "kube-system holds the cluster's DNS and Cilium itself: leave it open")
        if namespace in namespaces[:index]:
            yield Fault(path, f"{namespace} stands there twice: remove one")


def chart_path_is_relative(cilium: Cilium) -> Iterator[Fault]:
    """A path of one machine would differ on every other one."""
    path = cilium.chart.path
    # `..` leaves the project, and a checkout on another machine does not bring along what is there.
    if path is not None and (not path or path.startswith(("/", "~")) or ".." in path.split("/")):
        yield Fault("cilium.chart.path", "must be a path inside the project, for example charts/cilium")


def values_leave_the_programs_alone(cilium: Cilium) -> Iterator[Fault]:
    """Values of the user extend those of the program."""
    for path, reason in contradictions(cilium.values, OWNED_VALUES):
        yield Fault(f"cilium.values.{path}", f"belongs to this program: {reason}")


def extra_config_leaves_the_program_alone(cilium: Cilium) -> Iterator[Fault]:
    """What the program sets through the chart cannot be changed past it."""
    extra = cilium.values.get("extraConfig")
    for key in extra if isinstance(extra, dict) else ():
        if key in _OWNED_SETTINGS:
            yield Fault(
                f"cilium.values.extraConfig.{key}", "belongs to this program: it sets this through the chart"
            )


def cilium_services_are_announced(cilium: Cilium) -> Iterator[Fault]:
    """Gateways and ingresses of Cilium itself answer on no node with policy Local."""
    for path in _NEVER_LOCAL:
        if value_at(cilium, path) == "Local":
            yield Fault(
                f"cilium.values.{path}", "Local is never announced, it has no pod on any node: use Cluster"
            )


RULES = (
    kube_proxy_is_replaced,
    hubble_parts_need_each_other,
    default_deny_spares_the_system,
    chart_path_is_relative,
    values_leave_the_programs_alone,
    extra_config_leaves_the_program_alone,
    cilium_services_are_announced,
)
