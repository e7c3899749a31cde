"""Cilium: the whole network of the cluster, as a Helm release, and its baseline policies."""

from components.cilium.policies import NetworkPolicies
from components.cilium.release import Cilium

__all__ = ["Cilium", "NetworkPolicies"]
