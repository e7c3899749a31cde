"""Cilium: the whole network of the cluster, as a Helm release."""

from components.cilium.release import Cilium

__all__ = ["Cilium"]
