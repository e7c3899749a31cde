"""Rules of Helm values that stop Cilium at run time: the chart takes them, the agent or operator does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.cluster import Network
    from model.kubernetes import Cilium
    from model.nodes import Node


def value_at(cilium: Cilium, path: str) -> object:
    """Return the user's value at a dotted path, nothing if it is not set."""
    value: object = cilium.values
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def operator_replicas_have_nodes(cilium: Cilium, all_nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Two replicas of the operator never share a node: one too many stays pending for ever."""
    replicas = value_at(cilium, "operator.replicas")
    if isinstance(replicas, int) and not 1 <= replicas <= len(all_nodes):
        yield Fault(
            "cilium.values.operator.replicas",
            f"{replicas} does not suit {len(all_nodes)} node(s): use at least 1, at most one for each node",
        )


def native_routing_is_for_pods(cilium: Cilium, network: Network) -> Iterator[Fault]:
    """Without tunnels the agent must know which addresses are routed as they are: those of pods."""
    given = value_at(cilium, "ipv4NativeRoutingCIDR")
    native = value_at(cilium, "routingMode") == "native"
    if (native or given is not None) and given != str(network.pod_cidr):
        yield Fault("cilium.values.ipv4NativeRoutingCIDR", f"must be network.podCidr {network.pod_cidr}")


def direct_return_has_a_way(cilium: Cilium) -> Iterator[Fault]:
    """The agent exits with direct server return inside VXLAN, the default tunnel."""
    mode = value_at(cilium, "loadBalancer.mode")
    tunnelled = value_at(cilium, "routingMode") != "native"
    geneve = value_at(cilium, "loadBalancer.dsrDispatch") == "geneve"
    if mode in ("dsr", "hybrid") and tunnelled and not geneve:
        yield Fault(
            "cilium.values.loadBalancer.mode",
            f"{mode} stops the agent in VXLAN tunnels: set routingMode to native, "
            "or tunnelProtocol and loadBalancer.dsrDispatch to geneve",
        )


def bbr_has_bpf_host_routing(cilium: Cilium) -> Iterator[Fault]:
    """The agent exits with BBR and legacy host routing, which Talos's host DNS needs here."""
    legacy = value_at(cilium, "bpf.hostLegacyRouting") is not False
    if value_at(cilium, "bandwidthManager.bbr") is True and legacy:
        yield Fault(
            "cilium.values.bandwidthManager.bbr",
            "needs BPF host routing, but this program sets bpf.hostLegacyRouting for Talos's host DNS: "
            "leave BBR off",
        )


RULES = (
    operator_replicas_have_nodes,
    native_routing_is_for_pods,
    direct_return_has_a_way,
    bbr_has_bpf_host_routing,
)
