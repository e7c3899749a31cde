"""Brings the set of machines to what the stack's configuration says: one node at a time, in one process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered, open_kube
from clients.talos import talosctl
from clients.talos.handshake import State
from clients.talos.hardware import NoAnswerError, read_identity
from clients.talos.machine_identity import MachineIdentity
from clients.talos.talosconfig import parse_talosconfig
from steps.environment import Peer
from steps.inputs import NodesInputs
from steps.nodes.plan import ManagedNode, NodesMove, NodesState, SeenNode, make_plan
from steps.nodes.readiness import Readiness, read_readiness
from steps.nodes.records import parse_configs, parse_managed, parse_wanted_nodes, write_managed
from steps.nodes.removal import is_leaving, remove
from steps.reconfigure import change
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clients.talos.talosconfig import Talosconfig
    from steps.job import Job
    from steps.nodes.plan import WantedNode

# A node that reboots by itself is back within this time; a dead one should not cost more.
PATIENCE = 30.0  # seconds that a silent node is given before it counts as down


def reconcile(job: Job) -> str:
    """Look at all machines, make the plan, say it, carry it out; return what is managed now."""
    inputs = job.inputs(NodesInputs)
    cluster = parse_talosconfig(job.secret("talosconfig"))
    wanted = parse_wanted_nodes(inputs.nodes, job.secret("configs"))
    last = parse_managed(job.last_result())
    seen = _look_at_all(job, cluster, wanted, last)
    state = NodesState(
        wanted, last, seen, frozenset(inputs.acknowledge), wipes=inputs.reset_on_destroy == "yes"
    )
    moves = make_plan(state)
    # Said before anything happens, so that a person who watches can still stop the run.
    for line in ["the plan for the nodes:", *map(str, moves)] if moves else []:
        job.say(line)
    # At the first run there is no CNI, so no Node is Ready.
    readiness = read_readiness(job) if moves and last else Readiness({})
    for planned in moves:
        if planned.move is NodesMove.CHANGE:
            readiness.wait(job, wanted)
            _change(job, cluster, planned.node, inputs.apply_mode, readiness)
        else:
            remove(job, cluster, planned)
    return write_managed({name: ManagedNode(node, seen[name].machine) for name, node in wanted.items()})


def _look_at_all(
    job: Job, cluster: Talosconfig, wanted: Mapping[str, WantedNode], last: Mapping[str, ManagedNode]
) -> dict[str, SeenNode]:
    """Look at every node that is wanted or was managed."""
    seen = {name: _look_at(job, cluster, node) for name, node in wanted.items()}
    for name, managed in last.items():
        if name not in wanted:
            found = _look_at(job, cluster, managed.wanted)
            # A run that was killed after the wipe finds a silent machine, and must not call it dead.
            leaves = found.state is not State.OURS and _began_to_leave(job, name)
            seen[name] = replace(found, is_leaving=leaves)
    return seen


def _look_at(job: Job, cluster: Talosconfig, node: WantedNode) -> SeenNode:
    """Return what is at a node's address; a node that is silent may only be booting."""
    last = [SeenNode(State.SILENT)]

    def probe() -> Done[SeenNode] | Pending:
        sight = job.look(node.address, cluster.ca)
        last[0] = SeenNode(sight.state)
        if sight.state is State.SILENT:
            return Pending(str(sight))
        if sight.state is not State.OURS:
            return Done(last[0])
        answer = _identify(job, node)
        return Done(SeenNode(State.OURS, answer)) if isinstance(answer, MachineIdentity) else answer

    try:
        return job.wait(f"{node.name} to say which machine it is", "", probe, PATIENCE)
    except OperationError:
        return last[0] if last[0].state is not State.OURS else SeenNode(State.SILENT)


def _identify(job: Job, node: WantedNode) -> MachineIdentity | Pending:
    access = job.access(Peer(node.name, node.address))
    try:
        return read_identity(lambda resource: talosctl.get(access, resource), job.call)
    except NoAnswerError as error:
        return Pending(str(error))


def _began_to_leave(job: Job, name: str) -> bool:
    """Return whether an earlier run began to remove the node, as its Node says."""
    kube = open_kube(job.secret("kubeconfig"))

    def probe() -> Done[bool] | Pending:
        try:
            return Done(is_leaving(kube, name))
        except Unanswered as error:
            return Pending(str(error))

    return job.wait(f"the Node of {name}", "the API server", probe)


def _change(job: Job, cluster: Talosconfig, node: WantedNode, apply_mode: str, readiness: Readiness) -> None:
    """Give a node its configuration and see that it works with it, for Talos and for Kubernetes."""
    peer = Peer(node.name, node.address)
    config = parse_configs(job.secret("configs"))[node.name]
    own = replace(job, secrets={**job.secrets, "machineConfig": config})
    has_rebooted = change(own, peer, cluster, apply_mode)
    readiness.wait(job, [node.name], node.name if has_rebooted else "")
    job.say(f"{node.name} works with its configuration")
