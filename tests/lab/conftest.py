"""One lab for all tests of this directory, on a loopback subnet and state directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import commands, engine, simulator
from lab.layout import Layout
from lab.parts_table import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi import automation
    from pulumi.automation import EngineEvent

SUBNET = "20"
LOOKS = 5
"""How often a process is looked at: a fork shows its parent's command line until it runs its own."""


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
    """A fresh lab of the default size, watched while it runs."""
    with fresh_lab(SUBNET) as run:
        watch = _Watch(run.command_lines)
        watch.start()
        try:
            yield run
        finally:
            watch.end()


@contextmanager
def fresh_lab(subnet: str, nodes: str = "") -> Iterator[Run]:
    """Yield a lab with its tools; HOME is empty, so that anything written there is seen."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        home = Path(scratch) / "home"
        home.mkdir()
        patch.setenv("LAB_CACHE_DIR", str(cache_directory()))
        patch.setenv("LAB_SUBNET", subnet)
        patch.setenv("LAB_NODES", nodes)
        layout = Layout(Path(scratch) / "state")
        stack = commands.prepare(layout)
        patch.setenv("HOME", str(home))
        try:
            yield Run(layout, home, stack)
        finally:
            simulator.stop(layout)
            shutil.rmtree(layout.state, ignore_errors=True)


class _Watch(threading.Thread):
    """Collects the command line of every process that appears while it runs."""

    def __init__(self, seen: set[str]) -> None:
        super().__init__(daemon=True)
        self._seen = seen
        self._looks: dict[str, int] = {}
        self._ended = threading.Event()

    def run(self) -> None:
        """Look about a hundred times a second: a talosctl call takes longer than that."""
        while not self._ended.wait(0.01):
            alive = {name for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208 - names only
            self._looks = {name: self._looks.get(name, 0) + 1 for name in alive}
            for name, looks in self._looks.items():
                if looks <= LOOKS:
                    self._read(Path("/proc") / name)

    def _read(self, entry: Path) -> None:
        try:
            self._seen.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self.join()
