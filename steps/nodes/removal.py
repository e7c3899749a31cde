"""Takes a node out of the cluster: marked, drained, out of etcd, wiped or shut down, its Node deleted."""

from __future__ import annotations

import http.client
from dataclasses import replace
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered, explain, open_kube
from clients.talos import talosctl
from clients.talos.answers import Kind, classify, words
from clients.talos.handshake import State
from steps.environment import Peer
from steps.nodes.plan import CONTROL_PLANE, NodesMove
from steps.reconfigure import QUORUM_CHECK
from steps.reset import LOOKS, leave, ready_to_leave
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from clients.kubernetes.api import Kube
    from clients.talos.talosconfig import Talosconfig
    from clients.talos.talosctl import Invocation
    from steps.job import Job
    from steps.nodes.plan import PlannedMove

MARK = "homelab.pulumi/leaves"
"""Annotation of a Node whose machine leaves: a run that finds the machine gone may delete the Node."""


def node_path(name: str) -> str:
    """Return the API path of a Node."""
    return f"/api/v1/nodes/{name}"


def is_leaving(kube: Kube, name: str) -> bool:
    """Return whether the node's removal was begun, or is complete.

    Raises:
        Unanswered: the API server does not say.
    """
    node = kube.find(node_path(name))
    return node is None or MARK in (node["metadata"].get("annotations") or {})


def remove(job: Job, cluster: Talosconfig, planned: PlannedMove) -> None:
    """Take the node out of the cluster; each part is done only if it is not done yet."""
    node = planned.node
    peer = Peer(node.name, node.address)
    is_control_plane = node.role == CONTROL_PLANE
    before = replace(cluster, nodes=(*cluster.nodes, node.address)) if is_control_plane else cluster
    kube = open_kube(job.secret("kubeconfig"))
    if planned.move is not NodesMove.FORGET:
        _mark(job, kube, node.name)
    if planned.move is NodesMove.WIPE:
        leave(job, peer, before)
    elif planned.move is NodesMove.SHUT_DOWN:
        _shut_down(job, peer, before)
    _delete_node(job, kube, node.name)


def _mark(job: Job, kube: Kube, name: str) -> None:
    """Cordon the Node and write on it that its machine leaves."""
    change = {"metadata": {"annotations": {MARK: "true"}}, "spec": {"unschedulable": True}}

    def probe() -> Done[None] | Pending:
        try:
            answer = kube.ask(node_path(name), "PATCH", change)
        except Unanswered as error:
            return Pending(str(error))
        known = {http.client.OK, http.client.NOT_FOUND}
        return Done(None) if answer.status in known else Pending(explain(answer, node_path(name)))

    job.wait(f"the API server to cordon {name}", "the API server", probe)


def _delete_node(job: Job, kube: Kube, name: str) -> None:
    def probe() -> Done[None] | Pending:
        try:
            answer = kube.ask(node_path(name), "DELETE")
        except Unanswered as error:
            return Pending(str(error))
        known = {http.client.OK, http.client.NOT_FOUND}
        return Done(None) if answer.status in known else Pending(explain(answer, node_path(name)))

    job.wait(f"the API server to delete the Node {name}", "the API server", probe)
    job.say(f"{name} is no node of the cluster any more")


def _shut_down(job: Job, peer: Peer, cluster: Talosconfig) -> None:
    """Leave etcd, then shut down: Talos drains the node on the way. Its disk keeps config and keys."""
    how = job.wait(
        f"etcd to do without {peer.name}", QUORUM_CHECK, lambda: ready_to_leave(job, peer, cluster)
    )
    if how.is_member:
        _tell(job, peer, talosctl.etcd_leave(job.access(peer)))
    _tell(job, peer, talosctl.shutdown(job.access(peer)))
    looks = [0]

    def gone() -> Done[None] | Pending:
        sight = job.look(peer.address, cluster.ca)
        looks[0] = 0 if sight.state is State.OURS else looks[0] + 1
        return Done(None) if looks[0] >= LOOKS else Pending(str(sight))

    job.wait(f"{peer.name} to shut down", f"the console of {peer.name}", gone)
    job.say(f"{peer.name} is off; it still has its configuration and keys: wipe it before it is used again")


def _tell(job: Job, peer: Peer, invocation: Invocation) -> None:
    def probe() -> Done[None] | Pending:
        result = job.call(invocation)
        if result.ok:
            return Done(None)
        if classify(result) is Kind.TRANSIENT:
            return Pending(words(result))
        raise OperationError(f"could not {invocation.description}: {words(result)}")

    job.wait(f"{peer.name} to take an order", f"the console of {peer.name}", probe)
