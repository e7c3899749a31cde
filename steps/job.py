"""What a step is given: its data, the time it has, and the means to act."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from clients.errors import OperationError
from clients.talos.talosctl import Access
from steps.waiting import LONGEST_PAUSE, Clock, Done, Goal, Pending, wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clients.talos.handshake import Sight
    from clients.talos.process import Listener, Result, TalosctlRunner
    from clients.talos.talosctl import Invocation

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Peer:
    """A node by name and address, as in CONTROL_PLANES and WORKERS."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one step.

    Attributes:
        environment: data that a preview may show.
        secrets: data that nobody may see.
        deadline: moment of `clock` at which STEP_TIMEOUT is used up.
        say: prints a line of progress, redacted.
        runner: runs talosctl.
        look: tells what answers at an address, given our cluster's CA (PEM).
    """

    environment: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    clock: Clock
    deadline: float
    say: Callable[[str], None]
    runner: TalosctlRunner
    look: Callable[[str, str], Sight]

    def text(self, name: str) -> str:
        """Return a value of the environment that must be set and not empty."""
        value = self.environment.get(name, "")
        if not value:
            raise OperationError(f"{name} is not set in the environment of this step")
        return value

    def secret(self, name: str) -> str:
        """Return a value of the JSON object on stdin."""
        value = self.secrets.get(name, "")
        if not value:
            raise OperationError(f"the JSON object on stdin has no {name!r}")
        return value

    def seconds(self, name: str) -> float:
        """Return a duration in seconds, at most what is left of the step's time."""
        return min(parse_seconds(name, self.text(name)), self.remaining())

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words of a value, which may be missing."""
        return tuple(self.environment.get(name, "").split())

    def peers(self, name: str) -> tuple[Peer, ...]:
        """Return the nodes of a list `name=address name=address`, which may be empty."""
        return tuple(_peer(name, word) for word in self.words(name))

    def control_planes(self) -> tuple[Peer, ...]:
        """Return CONTROL_PLANES, of which there is at least one."""
        self.text("CONTROL_PLANES")
        return self.peers("CONTROL_PLANES")

    def access(self, peer: Peer) -> Access:
        """Return how to reach the node with our credentials."""
        return Access(peer.name, peer.address, self.secret("talosconfig"))

    def remaining(self) -> float:
        """Return the seconds left of STEP_TIMEOUT, never below zero."""
        return max(self.deadline - self.clock.now(), 0.0)

    def call(self, invocation: Invocation, listener: Listener | None = None) -> Result:
        """Run talosctl within what is left of the step's time; say every 10 s that it has not answered."""

        def hear(line: str | None, /) -> None:
            if line is None:
                self.say(f"no answer yet: {invocation.description}")

        return self.runner(invocation, max(self.remaining(), 1.0), listener or hear)

    def wait(
        self,
        what: str,
        check: str,
        probe: Callable[[], Done[T] | Pending],
        limit: float | None = None,
        longest: float = LONGEST_PAUSE,
    ) -> T:
        """Wait until the probe is done, at most `limit` seconds and never beyond the step's time."""
        seconds = self.remaining() if limit is None else min(limit, self.remaining())
        return wait(Goal(what, seconds, check, longest), probe, self.clock, self.say)


def parse_seconds(name: str, value: str) -> float:
    """Return a whole number of seconds above zero."""
    if not (value.isascii() and value.isdecimal()) or int(value) == 0:
        raise OperationError(f"{name} must be a whole number of seconds above zero, not {value!r}")
    return float(value)


def _peer(name: str, word: str) -> Peer:
    """Return one entry of a node list."""
    node, separator, address = word.partition("=")
    if not (node and separator and address):
        raise OperationError(
            f"{name} must be a list like 'cp1=10.0.50.11 cp2=10.0.50.12'; {word!r} is no such entry"
        )
    return Peer(node, address)
