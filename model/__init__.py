"""The stack config as strict, frozen models: what a person may say, and the rules that bind it."""

from model.cilium import Chart, Cilium, Hubble
from model.cluster import Cluster
from model.ingress import Ingress
from model.load_balancer import Leases, LoadBalancer, Reservation
from model.network import Endpoint, Lan, Network
from model.nodes import Node, NodeInterface
from model.talos import Patches, Talos
from model.timeouts import Timeouts
from model.versions import Versions

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
