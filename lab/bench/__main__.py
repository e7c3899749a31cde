"""Measure and print; nothing is asserted, a slow machine is not a fault."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lab import commands, simulator
from lab.bench import child
from lab.bench.timeline import Timeline
from lab.layout import REPOSITORY, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi import automation

RUNS = 5
WAITS = 3.0
"""Simulated waits on the way of a node, seconds: install, reboot and boot, one each."""


@contextmanager
def lab(nodes: str, reboot: str = "1s") -> Iterator[tuple[Layout, automation.Stack]]:
    """Yield a fresh lab on a subnet of its own; a node's API is gone while it reboots into its system."""
    # A subnet of its own, so that a lab in use stays as it is.
    os.environ |= {"LAB_NODES": nodes, "LAB_REBOOT": reboot, "LAB_SUBNET": "30"}
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as scratch:
        layout = Layout(Path(scratch) / "state")
        try:
            yield layout, commands.prepare(layout)
        finally:
            simulator.stop(layout)


def previews(layout: Layout, kubeconfig: str) -> dict[str, list[float]]:
    """Return wall-clock seconds of no-op previews, the two programs in turn."""
    # A preview changes nothing only where everything has been made before.
    child.open_minimal(layout, kubeconfig).up()
    seconds: dict[str, list[float]] = {"lab": [], child.MINIMAL: []}
    for number in range(RUNS + 1):
        # In turn, so that a machine that slows down meanwhile slows both.
        for which, taken in seconds.items():
            began = time.monotonic()
            subprocess.run(
                [sys.executable, "-m", "lab.bench.child", layout.state, which],
                cwd=REPOSITORY,
                input=kubeconfig,
                text=True,
                check=True,
            )
            if number:  # the first pair warms caches
                taken.append(time.monotonic() - began)
    return seconds


def timed_up(stack: automation.Stack) -> tuple[Timeline, automation.UpResult]:
    """Return the timeline of `pulumi up` and its result.

    The Automation API then starts the CLI again to collect outputs; the timeline ends with the engine's work.
    """
    timeline = Timeline()
    result = stack.up(on_event=timeline.note, show_secrets=False)
    return timeline, result


def main() -> int:
    """Print the three measurements of the README."""
    with lab("3+2") as (layout, stack):
        timeline, result = timed_up(stack)
        seconds = previews(layout, result.outputs["kubeconfig"].value)
    # The median: one run that something else disturbed must not move the ratio.
    own, minimal = (statistics.median(seconds[which]) for which in ("lab", child.MINIMAL))
    print(
        f"\nno-op preview: lab {own:.2f} s, minimal program {minimal:.2f} s, "
        f"ratio {own / minimal:.2f} (goal <= 1.5)"
    )
    start, kinds = timeline.phase("-etcd", "-api-ready"), timeline.phase("cilium-ready", "cilium-crds")
    print(
        f"up of 5 nodes: {timeline.summary:.1f} s; minus waits ({WAITS:.0f} s) and the control plane's own "
        f"start ({start:.1f} s): {timeline.summary - WAITS - start:.1f} s (goal <= 15), of which "
        f"{kinds:.1f} s until Cilium's operator has registered its kinds"
    )
    phases = {}
    for nodes in ("3+2", "3+47"):
        # A long wait stands out against the processor's time, which grows with the nodes on any machine.
        with lab(nodes, reboot="10s") as (_, stack):
            phases[nodes] = timed_up(stack)[0].phase("-machine-config-", "-apply-")
    print(
        f"nodes phase, boot wait 10 s: 5 nodes {phases['3+2']:.1f} s, 50 nodes {phases['3+47']:.1f} s, "
        f"ratio {phases['3+47'] / phases['3+2']:.2f} (goal <= 2)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
