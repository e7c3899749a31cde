"""Cilium: the whole network of the cluster, as a Helm release, and its baseline policies."""

from components.cilium.cilium_release import CiliumRelease
from components.cilium.policies import NetworkPolicySet

__all__ = ["CiliumRelease", "NetworkPolicySet"]
