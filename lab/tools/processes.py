"""Child processes of a run, each in its own group: an interrupt ends whole builds and nothing else."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 5.0


class StoppedError(Exception):
    """The run was interrupted while this child ran or before it started."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code, processor seconds with its own children, and whether it was late."""

    code: int
    cpu_seconds: float
    timed_out: bool = False


@dataclass(slots=True)
class Children:
    """The children of one run."""

    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pids: set[int] = field(default_factory=set)

    def run(
        self,
        argv: Sequence[str | Path],
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        limit: float = math.inf,
    ) -> Ended:
        """Run one child to its end, with stdout and stderr appended to `log`.

        Args:
            argv: Program and arguments.
            cwd: Working directory.
            env: Whole environment.
            log: File for the output.
            limit: Seconds after which the child's group is killed.

        Raises:
            StoppedError: `stop` was called.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            with self._lock:
                # Under the lock: a child that started after `stop` had counted them would outlive the run.
                if self.stopped.is_set():
                    raise StoppedError
                child = subprocess.Popen(
                    argv,
                    cwd=cwd,
                    env=env,
                    # A tool that asks a question must fail at once, since nobody sees it.
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    # A group of its own: a compiler's children end with it, and Ctrl-C does not reach them
                    # first.
                    start_new_session=True,
                )
                self._pids.add(child.pid)
            ended = self._wait(child, time.monotonic() + limit)
        if self.stopped.is_set():
            raise StoppedError
        return ended

    def _wait(self, child: subprocess.Popen[bytes], deadline: float) -> Ended:
        late = False
        while True:
            # Reaping and signalling exclude each other: a reaped pid may already belong to somebody else.
            with self._lock:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    self._pids.discard(pid)
                    child.returncode = os.waitstatus_to_exitcode(status)
                    return Ended(child.returncode, usage.ru_utime + usage.ru_stime, late)
                if time.monotonic() > deadline:
                    late = True
                    os.killpg(child.pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End every child: SIGTERM to its group, SIGKILL to what is left after a few seconds."""
        # First, so that no lane starts the next build while these children are ended.
        self.stopped.set()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while self._pids and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            for pid in self._pids:
                try:
                    os.killpg(pid, number)
                except ProcessLookupError:
                    continue
