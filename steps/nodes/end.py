"""The end of the set, on `pulumi destroy` only: wipes the nodes if the last configuration says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.talos.talosconfig import parse_talosconfig
from steps.environment import Peer
from steps.inputs import NodesEndInputs
from steps.nodes.plan import CONTROL_PLANE
from steps.nodes.records import parse_wanted_nodes
from steps.reset import reset_node

if TYPE_CHECKING:
    from steps.job import Job

KEPT = "the nodes are left as they are: talos.resetOnDestroy is off"


def end(job: Job) -> str:
    """Wipe every node, workers first: draining one needs an API server."""
    inputs = job.inputs(NodesEndInputs)
    # The last inputs count: a flag that was turned off by an update must not wipe anything.
    if inputs.reset_on_destroy != "yes":
        return KEPT
    cluster = parse_talosconfig(job.secret("talosconfig"))
    nodes = parse_wanted_nodes(inputs.nodes, job.secret("configs"))
    for node in sorted(nodes.values(), key=lambda node: (node.role == CONTROL_PLANE, node.name)):
        job.say(reset_node(job, Peer(node.name, node.address), cluster))
    return "the nodes are reset"
