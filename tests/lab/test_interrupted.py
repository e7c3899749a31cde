"""A run that is killed at any point is finished by the next one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.parts_table import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]
LIMIT = 300


@pytest.fixture
def command() -> Iterator[list[str]]:
    """The lab's own command line on a small cluster, state directory and subnet of its own."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        patch.setenv("LAB_CACHE_DIR", str(cache_directory()))
        patch.setenv("LAB_SUBNET", "21")
        patch.setenv("LAB_NODES", "1+1")
        start = [sys.executable, "-m", "lab", "--state", f"{scratch}/state"]
        try:
            yield start
        finally:
            subprocess.run([*start, "down"], cwd=ROOT, check=True, capture_output=True, timeout=LIMIT)


def _kill_when(command: list[str], pattern: str, delay: float) -> str:
    """Run `up` until seconds after a line that matches, then SIGKILL program, engine and every step."""
    process = subprocess.Popen(
        [*command, "up"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if re.search(pattern, line):
            time.sleep(delay)
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait(LIMIT) == -signal.SIGKILL, "".join(said)
    return "".join(said)


@pytest.mark.parametrize(
    ("pattern", "delay"),
    [
        pytest.param(
            r"\+ +command:local:Command .*-apply-\S+ creating", 0.0, id="while nodes are configured"
        ),
        pytest.param(r"\+ +command:local:Command .*-etcd creating", 0.0, id="after bootstrap"),
        pytest.param(r"\+ +kubernetes:helm.sh/v3:Release .* creating", 0.0, id="before Cilium is released"),
        pytest.param(
            r"\+ +kubernetes:helm.sh/v3:Release .* creating", 0.5, id="while Helm writes the release"
        ),
        pytest.param(
            r"\+ +kubernetes:cilium.io/v2:CiliumLoadBalancerIPPool .* creating", 0.0, id="at the pools"
        ),
    ],
)
def test_up_after_a_kill_converges(command: list[str], pattern: str, delay: float) -> None:
    """Everything is killed without warning; the same command then ends with all checks passed."""
    _kill_when(command, pattern, delay)
    again = subprocess.run(
        [*command, "up"], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "The lab is up." in again.stdout
    # Pulumi's file backend rewrites these in place: a kill could leave one empty, and the state unreadable.
    assert list(Path(command[-1], "backend").rglob("*.attrs")) == []


def test_a_second_command_is_told_that_one_is_running(command: list[str]) -> None:
    first = subprocess.Popen(
        [*command, "up"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert first.stdout is not None
    first.stdout.readline()
    second = subprocess.run(
        [*command, "up"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    first.send_signal(signal.SIGINT)
    first.stdout.close()
    first.wait(LIMIT)
    assert second.returncode == 1
    assert "another lab command is running on" in second.stderr
