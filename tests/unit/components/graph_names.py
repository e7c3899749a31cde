"""Names of what the lab stack registers, for the tests of the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.recording import Graph, Registered

COMMAND = "command:local:Command"
NODES = ("cp1", "cp2", "cp3", "w1", "w2")
TALOS = {
    "homelab-network",
    "homelab-preflight",
    *("homelab-secrets", "homelab-talosconfig", "homelab-kubeconfig"),
    *("homelab-bootstrap", "homelab-nodes", "homelab-etcd", "homelab-api-ready", "homelab-talos-health"),
    *(f"homelab-{step}-{node}" for step in ("machine-config", "apply") for node in NODES),
}
CILIUM = {"cilium-release", "cilium-ready", "cilium-crds", "cilium-nodes"}
GENERAL = "load-balancer-pool-homelab"
RESERVED = "load-balancer-pool-ingress"
GUARD = "load-balancer-addresses"
POOL = {GUARD, GENERAL, RESERVED, "load-balancer-policy", "load-balancer-pool-valid"}
INGRESS = {"ingress-namespace", "ingress-service", "ingress-address"}
COMPONENTS = {
    "homelab": ("homelab:talos:Cluster", TALOS),
    "cilium": ("homelab:cilium:Cilium", CILIUM),
    "load-balancer": ("homelab:cilium:LoadBalancerPool", POOL),
    "ingress": ("homelab:kubernetes:IngressService", INGRESS),
    "network-policies": ("homelab:cilium:NetworkPolicies", set()),
}
KUBERNETES = {
    "cilium-release": "kubernetes:helm.sh/v3:Release",
    GENERAL: "kubernetes:cilium.io/v2:CiliumLoadBalancerIPPool",
    RESERVED: "kubernetes:cilium.io/v2:CiliumLoadBalancerIPPool",
    "load-balancer-policy": "kubernetes:cilium.io/v2alpha1:CiliumL2AnnouncementPolicy",
    "ingress-namespace": "kubernetes:core/v1:Namespace",
    "ingress-service": "kubernetes:core/v1:Service",
}
APPLIED = {f"homelab-apply-{node}" for node in NODES}


def commands(graph: Graph) -> dict[str, Registered]:
    return {name: resource for name, resource in graph.resources.items() if resource.type == COMMAND}
