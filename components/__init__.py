"""The cluster as five components: Talos, Cilium, the LoadBalancer pool, the ingress Service, policies."""

from components.base import KubernetesArgs
from components.cilium import Cilium, NetworkPolicies
from components.ingress import IngressService
from components.load_balancer import LoadBalancerPool
from components.outputs import stack_outputs
from components.provider import kubernetes_provider
from components.talos import TalosCluster, TalosClusterArgs

__all__ = [
    "Cilium",
    "IngressService",
    "KubernetesArgs",
    "LoadBalancerPool",
    "NetworkPolicies",
    "TalosCluster",
    "TalosClusterArgs",
    "kubernetes_provider",
    "stack_outputs",
]
