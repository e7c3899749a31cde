"""One lab for all tests of this directory, on a loopback subnet and state directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import commands, engine, simulator
from lab.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi import automation
    from pulumi.automation import EngineEvent

SUBNET = "20"


@dataclass
class Run:
    """What was seen while the engine ran: output, events, command lines of all processes."""

    layout: Layout
    home: Path
    stack: automation.Stack
    output: list[str] = field(default_factory=list)
    events: list[EngineEvent] = field(default_factory=list)
    command_lines: set[str] = field(default_factory=set)

    def up(self) -> automation.UpResult:
        """Run `pulumi up` and keep what it says."""
        return self.stack.up(on_output=self.output.append, on_event=self.events.append, show_secrets=False)

    def run_pulumi(self, *command: str) -> str:
        """Return stdout of a `pulumi` command in the lab's project; what only a test needs to see."""
        environment = {**os.environ, **engine.environment(self.layout)}
        done = subprocess.run(
            command, cwd=self.layout.project, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def changes(self, result: automation.UpResult) -> dict[str, int]:
        """Return how many resources the run created, updated, …"""
        return {
            str(getattr(op, "value", op)): count
            for op, count in (result.summary.resource_changes or {}).items()
        }


@pytest.fixture(scope="session")
def lab() -> Iterator[Run]:
    """A fresh lab with its tools; HOME is empty, so that anything written there is seen."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        home = Path(scratch) / "home"
        home.mkdir()
        cache = os.environ.get("LAB_CACHE_DIR") or str(_user_cache())
        patch.setenv("LAB_CACHE_DIR", cache)
        patch.setenv("LAB_SUBNET", SUBNET)
        layout = Layout(Path(scratch) / "state")
        stack = commands.prepare(layout)
        patch.setenv("HOME", str(home))
        run = Run(layout, home, stack)
        watch = _Watch(run.command_lines)
        watch.start()
        try:
            yield run
        finally:
            watch.end()
            simulator.stop(layout)
            shutil.rmtree(layout.state, ignore_errors=True)


def _user_cache() -> Path:
    from lab.toolset import cache_directory  # noqa: PLC0415 - reads the environment of the session

    return cache_directory()


class _Watch(threading.Thread):
    """Collects the command line of every process that appears while it runs."""

    def __init__(self, seen: set[str]) -> None:
        super().__init__(daemon=True)
        self._seen = seen
        self._ended = threading.Event()

    def run(self) -> None:
        """Look about two hundred times a second: a talosctl call takes longer than that."""
        while not self._ended.wait(0.005):
            for entry in Path("/proc").iterdir():
                if entry.name.isdecimal():
                    self._read(entry)

    def _read(self, entry: Path) -> None:
        try:
            self._seen.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()
