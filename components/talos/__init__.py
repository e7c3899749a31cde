"""Talos: from machines in maintenance mode to a Kubernetes API that answers."""

from components.talos.talos_cluster import TalosCluster, TalosClusterArgs

__all__ = ["TalosCluster", "TalosClusterArgs"]
