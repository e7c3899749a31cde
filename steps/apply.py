"""Makes a machine in maintenance mode a node of ours; one that is ours already is left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.talos.talosconfig import parse_talosconfig
from steps.birth import BirthMove, Newborn, come_up, reach
from steps.environment import Peer
from steps.inputs import ApplyInputs
from steps.reconfigure import working

if TYPE_CHECKING:
    from steps.job import Job


def apply(job: Job) -> str:
    """Apply the first machine config, unless the node has one, and wait until the node works."""
    inputs = job.inputs(ApplyInputs)
    peer = Peer(inputs.node, inputs.address)
    cluster = parse_talosconfig(job.secret("talosconfig"))
    node = Newborn(
        peer,
        inputs.maintenance_address,
        cluster.ca,
        is_worker=peer.address not in cluster.nodes,
        fingerprint=inputs.fingerprint or "",
        mac=inputs.mac or "",
        was_configured=bool(job.last_result()) and not inputs.reinstall,
    )
    reached = job.wait(
        f"{peer.name} to answer", node.check, lambda: reach(job, node), inputs.reachable_timeout
    )
    if reached is BirthMove.INSTALL:
        come_up(job, node)
    else:
        job.wait(f"{peer.name} to work", node.check, lambda: working(job, peer))
    return f"{peer.name} configured"
