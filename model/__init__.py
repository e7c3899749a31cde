"""The stack config as strict, frozen models: what a person may say, and the rules that bind it."""

from model.cilium import Chart, Cilium, Hubble
from model.cluster import Cluster, Endpoint, Lan, Network, Versions
from model.kubernetes import Ingress, Leases, LoadBalancer, Reservation
from model.nodes import Node, NodeInterface, Patches, Talos, Timeouts

__all__ = [
    "Chart",
    "Cilium",
    "Cluster",
    "Endpoint",
    "Hubble",
    "Ingress",
    "Lan",
    "Leases",
    "LoadBalancer",
    "Network",
    "Node",
    "NodeInterface",
    "Patches",
    "Reservation",
    "Talos",
    "Timeouts",
    "Versions",
]
