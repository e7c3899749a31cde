"""Wipes a node of ours, where the stack asks for it; never somebody else's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import Kind, classify, words
from clients.talos.handshake import Sight, State
from steps.environment import Peer
from steps.etcd import Evidence, examine, known_members, sentence
from steps.reconfigure import QUORUM_CHECK
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from clients.talos.talosconfig import Talosconfig
    from steps.job import Job

# Long enough for a node that reboots; an unplugged one must not hold up the destroy of the others.
PATIENCE = 60.0  # seconds that a silent node is given before it counts as gone
# A node that is only restarting its API is gone for one look, not for three.
LOOKS = 3  # looks in a row that must not find our node, before it counts as gone
_GONE = frozenset({State.SILENT, State.MAINTENANCE, State.STRANGER})


@dataclass(frozen=True, slots=True)
class Plan:
    """How a node is reset: with or without drain and leaving etcd; or not, and why.

    Attributes:
        is_member: whether it is a member that can leave etcd.
    """

    graceful: bool
    refusal: str = ""
    is_member: bool = False


def plan(*, is_member: bool, members: int, healthy_others: int) -> Plan:
    """Return how to reset a node.

    Args:
        is_member: whether the node is an etcd member.
        members: voting members of etcd, this node included if it is one.
        healthy_others: healthy members besides this node.

    A member can leave only with the consent of a majority, itself included; what remains needs a majority as
    well. The last member has nobody to leave to; without etcd there is no Kubernetes API to drain through.
    """
    if not is_member:
        return Plan(graceful=healthy_others > 0)
    # etcd refuses to remove its last member, and nobody is left to ask.
    if members <= 1:
        return Plan(graceful=False)
    majority = members // 2 + 1
    if healthy_others + 1 >= majority and healthy_others >= (members - 1) // 2 + 1:
        return Plan(graceful=True, is_member=True)
    return Plan(
        graceful=False,
        refusal=f"etcd has {members} members, of which only {healthy_others} besides this one are healthy: "
        "resetting it would lose etcd's quorum",
    )


def reset_node(job: Job, peer: Peer, cluster: Talosconfig) -> str:
    """Reset the node unless it is gone or in maintenance mode already; return what to say."""
    if not _present(job, peer, cluster):
        return f"{peer.name} reset"
    leave(job, peer, cluster)
    return f"{peer.name} reset"


def leave(job: Job, peer: Peer, cluster: Talosconfig) -> None:
    """Reset a node of ours as soon as etcd allows it and see it go.

    The nodes that the talosconfig names are the control planes, this one included if it is one.

    Raises:
        OperationError: etcd cannot do without it, or it refuses.
    """
    what = f"etcd to do without {peer.name}"
    how = job.wait(what, QUORUM_CHECK, lambda: ready_to_leave(job, peer, cluster))
    sent, absences = False, 0

    def probe() -> Done[None] | Pending:
        nonlocal sent, absences
        sight = job.look(peer.address, cluster.ca)
        if sight.state in _GONE:
            absences += 1
            return Done(None) if absences >= LOOKS else Pending(str(sight))
        if absences:
            job.say(f"{peer.name} came back without having been reset")
        # It went away and came back as ours: the reset did not happen and is sent again.
        sent, absences = sent and not absences, 0
        if sent:
            return Pending(str(sight))
        answer = _send(job, peer, how)
        sent = answer is None
        return answer or Pending(f"{peer.name} accepted the reset")

    job.wait(f"{peer.name} to leave the cluster", f"the console of {peer.name}", probe)


def _present(job: Job, peer: Peer, cluster: Talosconfig) -> bool:
    """Return whether there is a node of ours to reset; refuse a node of another cluster."""
    last = [Sight(peer.address, State.SILENT)]

    def probe() -> Done[bool] | Pending:
        last[0] = job.look(peer.address, cluster.ca)
        if last[0].state is State.OURS:
            return Done(value=True)
        return Done(value=False) if last[0].state is State.MAINTENANCE else Pending(str(last[0]))

    try:
        present = job.wait(f"{peer.name} to answer", "", probe, PATIENCE)
    except OperationError:
        present = False
    # Wiping what may belong to somebody else is the one mistake that nothing repairs.
    if last[0].state in {State.FOREIGN, State.CLOCK, State.STRANGER}:
        raise OperationError(
            f"{peer.name} is not reset: {last[0]}",
            "the node's address and clock; `pulumi state delete` forgets the node without resetting it",
        )
    if not present:
        job.say(f"nothing to reset: {last[0]}")
    return present


def ready_to_leave(job: Job, peer: Peer, cluster: Talosconfig) -> Done[Plan] | Pending:
    """Return the plan once etcd allows the node to go."""
    others = [Peer(address, address) for address in cluster.nodes if address != peer.address]
    findings = [examine(job, job.access(other)) for other in others]
    healthy = [
        other for other, seen in zip(others, findings, strict=True) if seen.evidence is Evidence.MEMBER
    ]
    if peer.address not in cluster.nodes:
        return Done(plan(is_member=False, members=0, healthy_others=len(healthy)))
    own = examine(job, job.access(peer))
    if own.evidence is Evidence.UNKNOWN:
        return Pending(str(own))
    if own.evidence is Evidence.EMPTY:
        return Done(plan(is_member=False, members=0, healthy_others=len(healthy)))
    # A healthy member knows the current list; this node may have missed the last change.
    known = known_members(job, job.access((healthy or [peer])[0]))
    if isinstance(known, str):
        return Pending(f"nobody can say how many members etcd has: {known}; {sentence(findings)}")
    decision = plan(is_member=True, members=len(known[0]), healthy_others=len(healthy))
    return Pending(f"{decision.refusal} ({sentence(findings)})") if decision.refusal else Done(decision)


def _send(job: Job, peer: Peer, how: Plan) -> Pending | None:
    """Ask the node to reset itself; return why it could not be asked now."""
    result = job.call(talosctl.reset(job.access(peer), graceful=how.graceful))
    if result.ok:
        return None
    if classify(result) is Kind.TRANSIENT:
        return Pending(words(result))
    raise OperationError(f"{peer.name} refuses to be reset: {words(result)}")
