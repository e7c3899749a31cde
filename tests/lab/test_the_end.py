"""The end of the lab's life: destroy, then down. Runs last in this directory."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab import simulator
from lab.control import status

if TYPE_CHECKING:
    from tests.lab.conftest import Run

pytestmark = pytest.mark.lab
BACK = 30.0
"""Seconds until a wiped node is in maintenance mode; a reboot of the lab takes one."""


def test_destroy_removes_everything_and_resets_the_nodes_as_configured(lab: Run) -> None:
    """The lab's stack says `talos.resetOnDestroy: true`; the reference environment does not.

    A reset is over for the step when the node has gone; the last one may still be on its way to maintenance.
    """
    lab.stack.destroy(on_output=lab.output.append, show_secrets=False)
    assert json.loads(json.dumps(lab.stack.export_stack().deployment)).get("resources", []) == []
    wiped = dict.fromkeys(["cp1", "cp2", "cp3", "w1", "w2"], "maintenance")
    deadline = time.monotonic() + BACK
    while (stages := _stages(lab)) != wiped and time.monotonic() < deadline:
        time.sleep(0.2)
    assert stages == wiped


def _stages(lab: Run) -> dict[str, str]:
    return {machine["id"]: machine["stage"] for machine in status(lab.layout)["machines"]}


def test_stop_leaves_no_process(lab: Run) -> None:
    """Neither the simulator nor anything that it started."""
    pid = simulator.running(lab.layout)
    assert pid is not None
    assert simulator.stop(lab.layout)
    left = [p for p in _processes() if str(lab.layout.state) in p]
    assert left == []
    assert not simulator.stop(lab.layout)


def _processes() -> list[str]:
    own = str(os.getpid())
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and entry.name != own:
            try:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found
