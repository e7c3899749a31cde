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
    from steps.environment import Inputs, Peer

T = TypeVar("T")


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

    def inputs(self, kind: type[Inputs]) -> Inputs:
        """Return what the step gets.

        Raises:
            OperationError: a variable of the environment is missing, or is not what its field wants.
        """
        return kind.read(self.environment)

    def previous(self) -> str:
        """Return the result of the last run, which the engine hands to an update.

        Raises:
            OperationError: there is none.
        """
        text = self.last_result()
        if not text:
            raise OperationError("PULUMI_COMMAND_STDOUT is not set in the environment of this step")
        return text

    def last_result(self) -> str:
        """Return the result of the last run; empty at the first."""
        return self.environment.get("PULUMI_COMMAND_STDOUT", "")

    def secret(self, name: str) -> str:
        """Return a value of the JSON object on stdin.

        Raises:
            OperationError: there is none.
        """
        value = self.secrets.get(name, "")
        if not value:
            raise OperationError(f"the JSON object on stdin has no {name!r}")
        return value

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

        # At least a second: a step at its limit still gets the one answer that explains it.
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
