"""How a step waits: for a probe to be done, within a limit, saying what it sees."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from clients.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Short at first, because most things take a second; growing, because a node that boots takes minutes.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 2.0  # between looks that start a process
PAUSE_BETWEEN_REQUESTS = 0.5  # looks that are one or two requests of a few milliseconds
PAUSE_BETWEEN_SIGHTS = 1.0  # looks at a node that installs itself: a handshake each
GROWTH = 1.2
REMINDER = 8.0  # seconds after which an unchanged answer is said again; with the pause, about every 10


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A probe's answer: the wait is over."""

    value: T


@dataclass(frozen=True, slots=True)
class Pending:
    """A probe's answer: not yet, and what was seen instead."""

    answer: str


@dataclass(frozen=True, slots=True)
class Goal:
    """What is waited for.

    Attributes:
        what: completes "waiting for …".
        limit: seconds.
        check: what a person looks at when the limit is reached.
        longest: longest pause between two looks, seconds; the default suits looks that start a process.
    """

    what: str
    limit: float
    check: str
    longest: float = LONGEST_PAUSE


class Clock(Protocol):
    """Monotonic time in seconds; injected so that tests do not wait."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Return the monotonic clock's seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep; called by `wait` only."""
        time.sleep(seconds)


def wait(goal: Goal, probe: Callable[[], Done[T] | Pending], clock: Clock, say: Callable[[str], None]) -> T:
    """Return the value of the first `Done`; say a changed answer at once and an unchanged one every 10 s.

    Raises:
        OperationError: the limit passed, with the last answer and the goal's advice.
    """
    started = clock.now()
    said, said_at, pause = "", started, FIRST_PAUSE
    while True:
        answer = probe()
        if isinstance(answer, Done):
            return answer.value
        # Judged after the look: a wait always ends with an answer, never with a pause.
        passed = clock.now() - started
        if passed >= goal.limit:
            raise OperationError(
                f"gave up waiting for {goal.what} after {goal.limit:.0f} s; last answer: {answer.answer}",
                goal.check,
            )
        if answer.answer != said or clock.now() - said_at >= REMINDER:
            say(f"waiting for {goal.what} ({passed:.0f} of {goal.limit:.0f} s): {answer.answer}")
            said, said_at = answer.answer, clock.now()
        clock.sleep(min(pause, max(goal.limit - passed, 0.0)))
        pause = min(pause * GROWTH, goal.longest)
