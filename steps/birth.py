"""First contact: a machine in maintenance mode becomes this node, unless it is another machine.

Whoever answers in maintenance mode gets the machine config with its keys. So a node of another cluster, a
second machine, one with another network card, and a node that was configured before are refused; only a
fingerprint tells whether it is an impostor.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import FINGERPRINT_DIFFERS, Kind, classify, words
from clients.talos.handshake import Sight, State
from clients.talos.hardware import NoAnswerError, read_identity
from steps.reconfigure import working
from steps.waiting import PAUSE_BETWEEN_SIGHTS, Done, Pending

if TYPE_CHECKING:
    from steps.environment import Peer
    from steps.job import Job

# Each question starts a talosctl, and fifty nodes may install at the same time.
_FIRST_QUESTION, _LAST_QUESTION = 1.0, 10.0  # seconds between questions to a node that installs itself
REINSTALL = "to install it again, name the node under talos.reinstall in the stack's configuration"


class BirthMove(Enum):
    """What may be done to a machine after looking at it."""

    INSTALL = "apply the first configuration, without authentication"
    OURS = "it is a node of ours"
    WAIT = "look again"
    REFUSE = "leave it alone"


@dataclass(frozen=True, slots=True)
class BirthDecision:
    """A move with the address it is made at, or with what to say."""

    move: BirthMove
    address: str = ""
    message: str = ""


def decide(own: Sight, maintenance: Sight) -> BirthDecision:
    """Return what to do, given what answers at the node's own and at its maintenance address.

    A node with one address has the same sight twice. The own address is judged first: whoever is ours there
    is never configured without authentication.
    """
    # What happens to a node of ours is the business of the set of nodes, not of its birth.
    if own.state is State.OURS:
        return BirthDecision(BirthMove.OURS, own.address)
    for sight in (own, maintenance):
        if sight.state is State.FOREIGN:
            return BirthDecision(BirthMove.REFUSE, message=f"{sight}: it is not touched")
    return _decide_maintenance(own, maintenance)


def _decide_maintenance(own: Sight, maintenance: Sight) -> BirthDecision:
    """Return what to do with a node that is neither ours at its own address nor anybody else's."""
    waiting = [sight for sight in (maintenance, own) if sight.state is State.MAINTENANCE]
    # Giving the cluster's keys to the wrong one of two machines cannot be taken back.
    if len({sight.identity for sight in waiting}) > 1:
        return BirthDecision(
            BirthMove.REFUSE,
            message=f"two machines are in maintenance mode, at {own.address} and at {maintenance.address}: "
            "only one of them can be this node",
        )
    # A node of ours with a wrong clock is configured already; the machine that waits is another one.
    if waiting and own.state is not State.CLOCK:
        return BirthDecision(BirthMove.INSTALL, waiting[0].address)
    if own.address == maintenance.address:
        return BirthDecision(BirthMove.WAIT, message=str(own))
    return BirthDecision(BirthMove.WAIT, message=f"{own}; {maintenance}")


def judge(job: Job, address: str, maintenance: str, ca: str) -> BirthDecision:
    """Look at a node's own and, where it is another, at its maintenance address; return what to do."""
    own = job.look(address, ca)
    other = maintenance != address and own.state is not State.OURS
    return decide(own, job.look(maintenance, ca) if other else own)


@dataclass(frozen=True, slots=True)
class Newborn:
    """The node of a birth.

    Attributes:
        peer: its name and its own address.
        maintenance: where it answers before it is configured.
        ca: our cluster's Talos CA.
        is_worker: whether it is no control plane.
        fingerprint: of the certificate that its console shows, or empty: whoever answers is trusted.
        mac: permanent address of its network card, or empty: any machine will do.
        was_configured: whether it was a node of ours before: then it is not installed again.
    """

    peer: Peer
    maintenance: str
    ca: str
    is_worker: bool
    fingerprint: str = ""
    mac: str = ""
    was_configured: bool = False

    @property
    def check(self) -> str:
        """Return what to look at when the node does not come."""
        return (
            f"the node's power, console and cabling, and that its addresses are right: {self.peer.address}, "
            f"in maintenance mode {self.maintenance}, port 50000"
        )

    def judge(self, job: Job) -> BirthDecision:
        """Look at the node's addresses and return what to do."""
        return judge(job, self.peer.address, self.maintenance, self.ca)


def reach(job: Job, node: Newborn) -> Done[BirthMove] | Pending:
    """Look at the node; configure it if it is in maintenance mode.

    Raises:
        OperationError: it must not be touched.
    """
    decision = node.judge(job)
    if decision.move is BirthMove.REFUSE:
        raise OperationError(
            f"{node.peer.name}: {decision.message}",
            "the addresses in the stack's configuration; a node that changes clusters is reset by hand first",
        )
    if decision.move is BirthMove.WAIT:
        return Pending(decision.message)
    if decision.move is BirthMove.OURS:
        return Done(BirthMove.OURS)
    return _install(job, node, decision.address)


def _install(job: Job, node: Newborn, address: str) -> Done[BirthMove] | Pending:
    """Give the node its first configuration, once it is known to be the machine that was meant."""
    # Before the config leaves: it holds the keys of the whole cluster.
    doubt = recognise(job, node, address)
    if doubt:
        return doubt
    call = talosctl.apply_in_maintenance(address, job.secret("machineConfig"), node.fingerprint)
    result = job.call(call)
    if result.ok:
        job.say(f"{node.peer.name} accepted its configuration at {address}")
        return Done(BirthMove.INSTALL)
    # talosctl compares during the handshake, so nothing has been sent to the machine.
    if FINGERPRINT_DIFFERS in result.stderr:
        raise OperationError(
            f"{node.peer.name}: the machine at {address} does not show the certificate of its fingerprint",
            "the last line 'server certificate issued' on the machine's console: "
            "the fingerprint changes at every boot and with every new address",
        )
    if classify(result) is Kind.TRANSIENT or "certificate required" in result.stderr:
        return Pending(f"{address}: {words(result)}")  # it may have accepted and gone: the next look tells
    raise OperationError(f"{node.peer.name} refuses its configuration: {words(result)}")


def recognise(job: Job, node: Newborn, address: str) -> Pending | None:
    """Return why it is not known yet which machine is in maintenance mode, or nothing if it may be installed.

    Raises:
        OperationError: it is another machine than the one that was meant, or may be.
    """
    # A wiped node and a machine of somebody else look the same in maintenance mode.
    if node.was_configured:
        raise OperationError(configured_before(node.peer.name, address), REINSTALL)
    if not node.mac:
        return None
    try:
        found = read_identity(lambda resource: talosctl.get_in_maintenance(address, resource), job.call)
    except NoAnswerError as error:
        return Pending(f"{address}: {error}")
    if node.mac not in found.macs:
        raise OperationError(
            f"{node.peer.name}: the machine at {address} has no network card with the permanent address "
            f"{node.mac} ({found})",
            f"which machine answers at {address}",
        )
    return None


def configured_before(name: str, address: str) -> str:
    """Return why a machine in maintenance mode must not become a node that was there before."""
    return (
        f"{name} was configured before, but the machine at {address} is in maintenance mode: "
        "it is another one, or it was wiped"
    )


def come_up(job: Job, node: Newborn) -> None:
    """Wait until the node has installed itself and answers as ours at its own address."""
    what = f"{node.peer.name} to install, reboot and answer as configured"
    # Control planes sign the certificates of a worker's API, and a VIP reaches them only once etcd runs.
    worker = (
        "that a control plane is bootstrapped and answers the worker on port 50001; "
        if node.is_worker
        else ""
    )
    job.wait(what, f"{worker}{node.check}", _Arrival(job, node).probe, longest=PAUSE_BETWEEN_SIGHTS)


class _Arrival:
    """Follows a node from its first configuration to its work.

    Looking is cheap, asking a node of ours for its stage is not: fifty nodes that install for minutes would
    keep a small workstation busy. So a node is asked as soon as it comes back, then after 1, 2, 4, 8, 10 s;
    one that has not gone yet is only installing, and the first question waits.
    """

    def __init__(self, job: Job, node: Newborn) -> None:
        self._job, self._node = job, node
        self._gone = False
        self._forget()

    def _forget(self) -> None:
        """Begin anew when the node appears again."""
        self._pause = _FIRST_QUESTION
        self._next = 0.0
        self._answer = Pending(f"{self._node.peer.name} answers with its configuration")

    def probe(self) -> Done[str] | Pending:
        """Look at the node; ask it if it is ours."""
        decision = self._node.judge(self._job)
        if decision.move is BirthMove.OURS:
            return self._ask()
        self._forget()
        if decision.move is BirthMove.REFUSE:
            raise OperationError(f"{self._node.peer.name}: {decision.message}", self._node.check)
        if decision.move is BirthMove.WAIT:
            self._gone = True
            return Pending(decision.message)
        # While it installs, a node answers as before; only its reboot shows that it goes on.
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
