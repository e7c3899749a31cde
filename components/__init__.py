"""The cluster as five components: Talos, Cilium, the LoadBalancer pool, the ingress Service, policies."""

from components.cilium import CiliumRelease, NetworkPolicySet
from components.component import KubernetesArgs
from components.ingress import IngressService
from components.load_balancer import LoadBalancerPool
from components.outputs import stack_outputs
from components.provider import kubernetes_provider
from components.talos import TalosCluster, TalosClusterArgs

__all__ = [
    "CiliumRelease",
    "IngressService",
    "KubernetesArgs",
    "LoadBalancerPool",
    "NetworkPolicySet",
    "TalosCluster",
    "TalosClusterArgs",
    "kubernetes_provider",
    "stack_outputs",
]
