"""Progress lines: one when a tool starts, one when it ends, and one every half minute between."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HEARTBEAT_SECONDS = 30.0


def to_stderr(line: str) -> None:
    """Print one line at once: it is to be seen while a build runs, apart from results on stdout."""
    sys.stderr.write(f"{line}\n")  # in one piece: lines of several threads must not mix
    sys.stderr.flush()


@dataclass(slots=True)
class _Running:
    started: float
    spoken: float
    detail: Callable[[], str]


@dataclass(slots=True)
class Progress:
    """Prints the lines of one run; safe to call from several threads.

    Attributes:
        write: Takes each finished line.
        clock: Seconds that only grow.
    """

    write: Callable[[str], None] = to_stderr
    clock: Callable[[], float] = time.monotonic
    _running: dict[str, _Running] = field(default_factory=dict)
    _waited: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, title: str, text: str) -> None:
        """Print one line about `title`."""
        self.write(f"tools: {title:<34} {text}")

    def start(self, title: str, text: str, detail: Callable[[], str] = lambda: "") -> None:
        """Print the start line of `title` and expect an end; `detail` adds to later heartbeats."""
        now = self.clock()
        with self._lock:
            self._running[title] = _Running(now, now, detail)
        self.say(title, text)

    def wait(self, title: str, text: str) -> None:
        """Print a line for something that waits, at most once per `HEARTBEAT_SECONDS`."""
        now = self.clock()
        with self._lock:
            # The caller asks twice a second; a person wants to hear of it less often.
            if now - self._waited.get(title, -HEARTBEAT_SECONDS) < HEARTBEAT_SECONDS:
                return
            self._waited[title] = now
        self.say(title, text)

    def end(self, title: str, text: str) -> float:
        """Print the end line of `title` with its elapsed time and return the seconds."""
        with self._lock:
            seconds = self.clock() - self._running.pop(title).started
        self.say(title, f"{text} after {seconds:.0f} s")
        return seconds

    def beat(self) -> None:
        """Print a line for everything that runs and has been silent for `HEARTBEAT_SECONDS`."""
        now = self.clock()
        with self._lock:
            due = [(t, r) for t, r in self._running.items() if now - r.spoken >= HEARTBEAT_SECONDS]
            for _, running in due:
                running.spoken = now
        # Printed outside the lock, since a slow terminal must not hold up the builds.
        for title, running in due:
            self.say(title, f"still building, {now - running.started:.0f} s{running.detail()}")
