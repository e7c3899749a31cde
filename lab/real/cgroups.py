"""The lab's cgroups: one for each node, all below one that bounds their memory and by which they are ended.

Ending a group can only ever reach processes that were started in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.real.host import CONTROLLERS

if TYPE_CHECKING:
    from pathlib import Path

    from lab.real.host import Host

NAME = "talos-lab"
MEMORY_LIMIT = 8 << 30
"""Bytes for all nodes together."""

END_LIMIT = 30.0
JOIN = (
    'for group; do [ "$group" = -- ] && break; echo 0 > "$group/cgroup.procs" || exit 1; shift; done; '
    'shift; exec "$@"'
)
"""Shell program that joins the groups before `--` and becomes the command behind it."""


class GroupError(RuntimeError):
    """A group's processes did not end."""


@dataclass(frozen=True)
class Groups:
    """The cgroups of the lab on this machine."""

    host: Host

    @property
    def top(self) -> Path:
        """The group that holds all others."""
        return self.host.cgroup2 / NAME

    @property
    def memory(self) -> Path | None:
        """The group of cgroup v1 that bounds memory where v2 does not."""
        first = self.host.memory1
        return first / NAME if first is not None and not self.host.controllers else None

    def prepare(self) -> None:
        """Make the group that holds all others, with its memory limit."""
        self.top.mkdir(exist_ok=True)
        # From the top down: a group can pass on only the controllers that it was given itself.
        if self.host.controllers:
            enable(self.host.cgroup2)
            enable(self.top)
            (self.top / "memory.max").write_text(str(MEMORY_LIMIT))
        if self.memory is not None:
            self.memory.mkdir(exist_ok=True)
            (self.memory / "memory.limit_in_bytes").write_text(str(MEMORY_LIMIT))

    def joining(self, name: str, *command: str) -> list[str]:
        """Return a command that runs in group `name`, which is made if there is none."""
        group = self.top / name
        group.mkdir(exist_ok=True)
        joined = [str(path) for path in (group, self.memory) if path is not None]
        return ["sh", "-c", JOIN, "join", *joined, "--", *command]

    def move(self, pid: int, name: str) -> None:
        """Move a process of the lab into group `name`, which is made if there is none."""
        group = self.top / name
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(str(pid))

    def running(self, name: str = "") -> bool:
        """Tell whether any process is in a group (or, without a name, in any of the lab)."""
        events = self.top / name / "cgroup.events"
        return events.exists() and "populated 1" in events.read_text()

    def end(self, name: str = "") -> bool:
        """Kill a group's processes at once and remove it; return whether any ran.

        Raises:
            GroupError: something in it did not end in time.
        """
        group = self.top / name
        if not group.exists():
            return False
        ran = self.running(name)
        deadline = time.monotonic() + END_LIMIT
        while self.running(name):
            # Not signal by signal: a process that forks meanwhile would slip away.
            (group / "cgroup.kill").write_text("1")
            if time.monotonic() > deadline:
                raise GroupError(f"processes in {group} did not end after SIGKILL")
            time.sleep(0.05)
        _remove(group)
        if not name and self.memory is not None and self.memory.exists():
            _remove(self.memory)
        return ran

    def peak(self) -> int | None:
        """Return the most bytes that all nodes together have used, None where nobody counts."""
        if self.memory is not None:
            return int((self.memory / "memory.max_usage_in_bytes").read_text())
        peak = self.top / "memory.peak"
        return int(peak.read_text()) if peak.exists() else None


def enable(group: Path) -> None:
    """Hand the controllers that nodes need to the groups below `group`."""
    active = set((group / "cgroup.subtree_control").read_text().split())
    wanted = " ".join(f"+{name}" for name in sorted(CONTROLLERS - active))
    if wanted:
        (group / "cgroup.subtree_control").write_text(wanted)


def _remove(group: Path) -> None:
    below = [path for path in group.rglob("*") if path.is_dir()]
    # A cgroup with groups below it cannot be removed.
    for path in sorted(below, key=lambda path: len(path.parts), reverse=True):
        # Its files belong to the kernel and cannot be deleted one by one.
        path.rmdir()
    group.rmdir()
