"""What Kubernetes says about the nodes between two moves: who was Ready must be Ready again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered, is_true, open_kube
from steps.kubernetes_gates import first_few, node_lacks
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clients.kubernetes.api import Kube
    from steps.job import Job

PATIENCE = 30.0  # seconds for an API server that may be down: the change may be what repairs it
_CHECK = "`kubectl describe node` of the nodes named and the Cilium pods on them"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The Nodes that were Ready before the first move: name to boot. Before there is a CNI, none is."""

    boots: dict[str, str]

    def wait(self, job: Job, names: Iterable[str], rebooted: str = "") -> None:
        """Wait until the nodes that were Ready are Ready.

        A Node is called Ready for up to 40 s after its kubelet has gone: one that rebooted counts only once
        its kubelet has named the new boot.

        Raises:
            OperationError: they do not become Ready.
        """
        wanted = [name for name in names if name in self.boots]
        if not wanted:
            return
        kube = open_kube(job.secret("kubeconfig"))

        def probe() -> Done[None] | Pending:
            try:
                nodes = _nodes(kube)
            except Unanswered as error:
                return Pending(str(error))
            lacks = [lack for name in wanted if (lack := node_lacks(name, nodes.get(name)))]
            if rebooted in wanted and rebooted in nodes and _boot(nodes[rebooted]) == self.boots[rebooted]:
                lacks.append(f"the kubelet of {rebooted} has not reported since the reboot")
            return Pending(first_few(lacks)) if lacks else Done(None)

        job.wait("the Nodes to be Ready", _CHECK, probe)


def read_readiness(job: Job) -> Readiness:
    """Return which Nodes are Ready now; none if the API server does not answer."""
    kube = open_kube(job.secret("kubeconfig"))

    def probe() -> Done[Readiness] | Pending:
        try:
            nodes = _nodes(kube)
        except Unanswered as error:
            return Pending(str(error))
        return Done(Readiness({name: _boot(node) for name, node in nodes.items() if is_true(node, "Ready")}))

    try:
        return job.wait("the API server", "", probe, PATIENCE)
    except OperationError:
        job.say("the API server does not answer: whether Nodes are Ready is not looked at")
        return Readiness({})


def _nodes(kube: Kube) -> dict[str, dict[str, object]]:
    return {node["metadata"]["name"]: node for node in kube.items("/api/v1/nodes")}


def _boot(node: dict[str, object]) -> str:
    """Return which boot the kubelet has reported."""
    status = node.get("status")
    info = status.get("nodeInfo") if isinstance(status, dict) else None
    return str(info.get("bootID")) if isinstance(info, dict) else ""
