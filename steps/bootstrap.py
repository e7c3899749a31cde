"""Starts etcd once: on the chosen control plane, and only while no control plane has etcd data."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import Kind, classify, words
from steps.etcd import EtcdFinding, Evidence, examine, sentence
from steps.inputs import BootstrapInputs
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from steps.environment import Peer
    from steps.job import Job

RESULT = "etcd is bootstrapped"
CHECK = (
    "that every control plane of the stack is powered on and answers at its address; "
    "bootstrapping while one of them may hold etcd data could make a second cluster"
)


class BootstrapDecision(Enum):
    """What the findings of all control planes allow."""

    BOOTSTRAP = "no control plane has etcd data"
    JOIN = "etcd data exists: control planes without it join by themselves"
    WAIT = "a control plane has not said whether it has etcd data"


def decide(findings: Iterable[EtcdFinding]) -> BootstrapDecision:
    """Return what to do; one control plane with data is enough never to bootstrap."""
    seen = {finding.evidence for finding in findings}
    # Data on any control plane means that a cluster exists; a second bootstrap would split it.
    if seen & {Evidence.MEMBER, Evidence.DATA}:
        return BootstrapDecision.JOIN
    return BootstrapDecision.WAIT if Evidence.UNKNOWN in seen else BootstrapDecision.BOOTSTRAP


def bootstrap(job: Job) -> str:
    """Bootstrap etcd unless it was done before; the answer is the same in both cases."""
    inputs = job.inputs(BootstrapInputs)
    peers = inputs.control_planes
    chosen = _chosen(inputs)

    def probe() -> Done[str] | Pending:
        findings = [examine(job, job.access(peer)) for peer in peers]
        decision = decide(findings)
        if decision is BootstrapDecision.WAIT:
            return Pending(sentence(findings))
        if decision is BootstrapDecision.JOIN:
            job.say(f"not bootstrapping, {decision.value}: {sentence(findings)}")
            return Done(RESULT)
        return _act(job, chosen)

    return job.wait(f"{chosen.name} to bootstrap etcd", CHECK, probe)


def _chosen(inputs: BootstrapInputs) -> Peer:
    """Return the control plane that BOOTSTRAP_NODE names."""
    for peer in inputs.control_planes:
        if peer.name == inputs.bootstrap_node:
            return peer
    names = ", ".join(peer.name for peer in inputs.control_planes)
    raise OperationError(f"BOOTSTRAP_NODE {inputs.bootstrap_node!r} is none of the control planes: {names}")


def _act(job: Job, chosen: Peer) -> Done[str] | Pending:
    """Bootstrap and judge the answer; an unclear one leads to another look at all control planes."""
    result = job.call(talosctl.bootstrap(job.access(chosen)))
    if result.ok:
        job.say(f"bootstrapped etcd on {chosen.name}")
        return Done(RESULT)
    kind = classify(result)
    # An earlier run was killed between the call and its answer.
    if kind is Kind.EXISTS:
        return Done(RESULT)
    # The call may have worked all the same, so all control planes are looked at again before another try.
    if kind is Kind.TRANSIENT:
        return Pending(words(result))
    raise OperationError(f"could not bootstrap etcd on {chosen.name}: {words(result)}")
