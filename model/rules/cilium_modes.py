"""Rules of Helm values that stop Cilium at run time: the chart takes them, the agent or operator does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.cilium import Cilium
    from model.network import Lan
    from model.nodes import Node


def value_at(cilium: Cilium, path: str) -> object:
    """Return the user's value at a dotted path, nothing if it is not set."""
    value: object = cilium.values
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def operator_replicas_have_nodes(cilium: Cilium, all_nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Two replicas of the operator never share a node: one too many stays pending for ever."""
    replicas = cilium.operator_replicas
    if replicas is not None and replicas > len(all_nodes):
        yield Fault(
            "cilium.operatorReplicas",
            f"{replicas} do not suit {len(all_nodes)} node(s): replicas never share a node, "
            f"use at most {len(all_nodes)}",
        )


def devices_hold_the_lan(cilium: Cilium, lan: Lan, all_nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Cilium announces and answers only on its own devices."""
    devices = cilium.devices
    if devices is None or lan.tagged:  # the tagged link is added
        return
    for node in all_nodes:
        name = node.interface.name
        # A card found by its MAC address has a kernel name that is not known here.
        if name is not None and name not in devices:
            yield Fault(
                "cilium.devices",
                f"lacks {name}, the link of node {node.name}: Cilium would not work on it; add it, "
                "or leave the key out",
            )


def direct_return_has_a_way(cilium: Cilium) -> Iterator[Fault]:
    """The agent exits with direct server return inside VXLAN, the default tunnel."""
    mode = value_at(cilium, "loadBalancer.mode")
    geneve = value_at(cilium, "loadBalancer.dsrDispatch") == "geneve"
    # Geneve carries the address of the Service in an option of its header; VXLAN has no options.
    if mode in ("dsr", "hybrid") and cilium.routing_mode == "tunnel" and not geneve:
        yield Fault(
            "cilium.values.loadBalancer.mode",
            f"{mode} stops the agent in VXLAN tunnels: set cilium.routingMode to native, "
            "or tunnelProtocol and loadBalancer.dsrDispatch to geneve",
        )


def bbr_has_bpf_host_routing(cilium: Cilium) -> Iterator[Fault]:
    """The agent exits with BBR and legacy host routing, which Talos's host DNS needs here."""
    manager = cilium.bandwidth_manager
    if manager.bbr and not manager.enabled:
        yield Fault("cilium.bandwidthManager.bbr", "needs cilium.bandwidthManager.enabled: set it to true")
    # The program sets it unless the user says false.
    legacy = value_at(cilium, "bpf.hostLegacyRouting") is not False
    if manager.bbr and (legacy or value_at(cilium, "bpf.masquerade") is not True):
        yield Fault(
            "cilium.bandwidthManager.bbr",
            "needs BPF host routing, but this program sets bpf.hostLegacyRouting for Talos's host DNS: "
            "leave BBR off, or see docs/cilium.md",
        )


def gateways_have_a_proxy(cilium: Cilium) -> Iterator[Fault]:
    """Gateways are served by Envoy, which l7Proxy starts."""
    # Left out it is on: only an explicit false keeps Envoy away.
    if cilium.gateway_api.enabled and value_at(cilium, "l7Proxy") is False:
        yield Fault("cilium.values.l7Proxy", "false leaves no Gateway: set it to true (cilium.gatewayApi)")


RULES = (
    operator_replicas_have_nodes,
    devices_hold_the_lan,
    direct_return_has_a_way,
    bbr_has_bpf_host_routing,
    gateways_have_a_proxy,
)
