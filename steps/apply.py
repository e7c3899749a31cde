"""Makes a machine in maintenance mode a node of ours; one that is ours already is left as it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import Kind, classify, words
from clients.talos.handshake import Sight, State
from clients.talos.talosconfig import parse_talosconfig
from steps.environment import Peer
from steps.inputs import ApplyInputs
from steps.reconfigure import working
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from steps.job import Job

_FIRST_QUESTION, _LAST_QUESTION = 1.0, 10.0  # seconds between questions to a node that installs itself
_LOOK = 1.0  # seconds between looks at it


class ApplyMove(Enum):
    """What may be done to a node after looking at it."""

    INSTALL = "apply the first configuration, without authentication"
    CHANGE = "it is ours: the set of nodes changes it"
    WAIT = "look again"
    REFUSE = "leave it alone"


@dataclass(frozen=True, slots=True)
class ApplyDecision:
    """A move with the address it is made at, or with what to say."""

    move: ApplyMove
    address: str = ""
    message: str = ""


def decide(own: Sight, maintenance: Sight) -> ApplyDecision:
    """Return what to do, given what answers at the node's own and at its maintenance address.

    A node with one address has the same sight twice. The own address is judged first: whoever is ours there
    is never configured without authentication.
    """
    if own.state is State.OURS:
        return ApplyDecision(ApplyMove.CHANGE, own.address)
    for sight in (own, maintenance):
        if sight.state is State.FOREIGN:
            return ApplyDecision(ApplyMove.REFUSE, message=f"{sight}: it is not touched")
    return _decide_maintenance(own, maintenance)


def _decide_maintenance(own: Sight, maintenance: Sight) -> ApplyDecision:
    """Return what to do with a node that is neither ours at its own address nor anybody else's."""
    waiting = [sight for sight in (maintenance, own) if sight.state is State.MAINTENANCE]
    if len({sight.identity for sight in waiting}) > 1:
        return ApplyDecision(
            ApplyMove.REFUSE,
            message=f"two machines are in maintenance mode, at {own.address} and at {maintenance.address}: "
            "only one of them can be this node",
        )
    if waiting and own.state is not State.CLOCK:
        return ApplyDecision(ApplyMove.INSTALL, waiting[0].address)
    if own.address == maintenance.address:
        return ApplyDecision(ApplyMove.WAIT, message=str(own))
    return ApplyDecision(ApplyMove.WAIT, message=f"{own}; {maintenance}")


@dataclass(frozen=True, slots=True)
class ApplyTarget:
    """The node of this step.

    Attributes:
        peer: its name and its own address.
        maintenance: where it answers before it is configured.
        ca: our cluster's Talos CA.
        is_worker: whether it is no control plane.
    """

    peer: Peer
    maintenance: str
    ca: str
    is_worker: bool

    @property
    def check(self) -> str:
        """Return what to look at when the node does not come."""
        return (
            f"the node's power, console and cabling, and that its addresses are right: {self.peer.address}, "
            f"in maintenance mode {self.maintenance}, port 50000"
        )

    def judge(self, job: Job) -> ApplyDecision:
        """Look at the node's addresses and return what to do."""
        own = job.look(self.peer.address, self.ca)
        other = self.maintenance != self.peer.address and own.state is not State.OURS
        return decide(own, job.look(self.maintenance, self.ca) if other else own)


def apply(job: Job) -> str:
    """Apply the first machine config, unless the node has one, and wait until the node works."""
    inputs = job.inputs(ApplyInputs)
    peer = Peer(inputs.node, inputs.address)
    cluster = parse_talosconfig(job.secret("talosconfig"))
    node = ApplyTarget(peer, inputs.maintenance_address, cluster.ca, peer.address not in cluster.nodes)
    reached = job.wait(
        f"{peer.name} to answer", node.check, lambda: _reach(job, node), inputs.reachable_timeout
    )
    if reached is ApplyMove.INSTALL:
        _come_up(job, node)
    else:
        job.wait(f"{peer.name} to work", node.check, lambda: working(job, peer))
    return f"{peer.name} configured"


def _reach(job: Job, node: ApplyTarget) -> Done[ApplyMove] | Pending:
    """Look; configure the node if it is in maintenance mode."""
    decision = node.judge(job)
    if decision.move is ApplyMove.REFUSE:
        raise OperationError(
            f"{node.peer.name}: {decision.message}",
            "the addresses in the stack's configuration; a node that changes clusters is reset by hand first",
        )
    if decision.move is ApplyMove.WAIT:
        return Pending(decision.message)
    if decision.move is ApplyMove.CHANGE:
        return Done(ApplyMove.CHANGE)
    return _install(job, node, decision.address)


def _install(job: Job, node: ApplyTarget, address: str) -> Done[ApplyMove] | Pending:
    """Give the node its first configuration."""
    result = job.call(talosctl.apply_in_maintenance(address, job.secret("machineConfig")))
    if result.ok:
        job.say(f"{node.peer.name} accepted its configuration at {address}")
        return Done(ApplyMove.INSTALL)
    if classify(result) is Kind.TRANSIENT or "certificate required" in result.stderr:
        return Pending(f"{address}: {words(result)}")  # it may have accepted and gone: the next look tells
    raise OperationError(f"{node.peer.name} refuses its configuration: {words(result)}")


def _come_up(job: Job, node: ApplyTarget) -> None:
    """Wait until the node has installed itself and answers as ours at its own address."""
    what = f"{node.peer.name} to install, reboot and answer as configured"
    # Control planes sign the certificates of a worker's API, and a VIP reaches them only once etcd runs.
    worker = (
        "that a control plane is bootstrapped and answers the worker on port 50001; "
        if node.is_worker
        else ""
    )
    job.wait(what, f"{worker}{node.check}", _Arrival(job, node).probe, longest=_LOOK)


class _Arrival:
    """Follows a node from its first configuration to its work.

    Looking is cheap, asking a node of ours for its stage is not: fifty nodes that install for minutes would
    keep a small workstation busy. So a node is asked as soon as it comes back, then after 1, 2, 4, 8, 10 s;
    one that has not gone yet is only installing, and the first question waits.
    """

    def __init__(self, job: Job, node: ApplyTarget) -> None:
        self._job, self._node = job, node
        self._gone = False
        self._forget()

    def _forget(self) -> None:
        """Start over when the node appears again."""
        self._pause = _FIRST_QUESTION
        self._next = 0.0
        self._answer = Pending(f"{self._node.peer.name} answers with its configuration")

    def probe(self) -> Done[str] | Pending:
        """Look at the node; ask it if it is ours."""
        decision = self._node.judge(self._job)
        if decision.move is ApplyMove.CHANGE:
            return self._ask()
        self._forget()
        if decision.move is ApplyMove.REFUSE:
            raise OperationError(f"{self._node.peer.name}: {decision.message}", self._node.check)
        if decision.move is ApplyMove.WAIT:
            self._gone = True
            return Pending(decision.message)
        if not self._gone:
            return Pending(f"{decision.address} is still in maintenance mode")
        # It rebooted before it kept the configuration.
        self._gone = isinstance(_install(self._job, self._node, decision.address), Pending)
        return Pending(f"{decision.address} was in maintenance mode again")

    def _ask(self) -> Done[str] | Pending:
        """Return what the node says about itself, or what it said a moment ago."""
        if not (self._gone or self._next):
            self._plan()
        if self._job.clock.now() < self._next:
            return self._answer
        answer = working(self._job, self._node.peer)
        if isinstance(answer, Pending):
            self._answer = answer
            self._plan()
        return answer

    def _plan(self) -> None:
        """Set the time of the next question."""
        self._next = self._job.clock.now() + self._pause
        self._pause = min(2 * self._pause, _LAST_QUESTION)
