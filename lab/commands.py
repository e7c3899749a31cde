"""What `make lab`, `make lab-down` and their siblings do."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pulumi import automation

from lab import engine, inventory, parts_table, project, report, simulator
from ops import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.layout import Layout

DURATIONS = {"boot": "LAB_BOOT", "install": "LAB_INSTALL", "reboot": "LAB_REBOOT"}
"""Simulated waits and the variables that change them (Go durations, default 1s)."""


class LabError(RuntimeError):
    """The lab cannot do what was asked; the message says what to do."""


def say(text: str) -> None:
    """Print a line at once, so that a long step is not mistaken for a hang."""
    print(text, flush=True)


@contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Hold the lab for one command; a second one is told so at once.

    Raises:
        LabError: another command holds it.
    """
    # The lock lies in the state directory, which need not exist before the first run.
    layout.prepare()
    with layout.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f"another lab command is running on {layout.state}; wait for it or end it"
            ) from None
        yield


def prepare(layout: Layout) -> automation.Stack:
    """Get tools, project directory and running nodes; return the stack, cleared of interrupted runs.

    Raises:
        InventoryError: LAB_NODES or LAB_SUBNET cannot be read.
        ToolsError: a tool is not available.
        SimulatorError: the nodes did not start.
        LabError: what an interrupted run left could not be cleared.
    """
    machines = inventory.parse_nodes(
        os.environ.get("LAB_NODES") or inventory.DEFAULT,
        os.environ.get("LAB_SUBNET") or str(inventory.DEFAULT_SUBNET),
    )
    say(f"== tools (cache: {parts_table.cache_directory()})")
    # Before anything of a running lab is touched: a refused download leaves it as it was.
    tools = parts_table.collect()
    project.link_tools(layout, tools.binaries)
    project.assemble(layout, machines, tools.chart)
    parts_table.install_plugins(layout.pulumi_home, tools.plugins)
    # Shown at every run, so that nobody takes a stand-in for the real thing.
    say("\n== parts\n" + tools.table())
    document = inventory.simulator_document(
        machines,
        str(layout.nodes),
        tools.simulator_binaries(),
        {key: os.environ.get(variable, "1s") for key, variable in DURATIONS.items()},
    )
    started = simulator.start(layout, tools.binaries["talos-sim"], document, inventory.listening(machines))
    say(f"\n== {len(machines)} simulated nodes {'started' if started else 'already running'}")
    stack = engine.open_stack(layout)
    try:
        for line in engine.recover(layout, stack):
            say(line)
    except automation.CommandError as error:  # unlike those of `up`, its words were not streamed
        raise LabError(f"what an interrupted run left could not be cleared:\n{error}") from None
    return stack


def up(layout: Layout) -> int:
    """Run the whole main job and show what came of it."""
    with exclusive(layout):
        stack = prepare(layout)
        say("\n== pulumi up")
        # Finding tools and starting nodes is not what `pulumi up` takes on real machines.
        began = time.monotonic()
        result = stack.up(on_output=say, show_secrets=False, color=_color())
        say(f"== pulumi up took {time.monotonic() - began:.1f} s\n")
        say("== verify")
        rows = report.rows(layout, result.outputs)
        say(table.as_text(rows))
    passed = table.exit_status(rows) == table.ALL_PASS
    say(report.closing(passed=passed))
    # A script must see a failed check although the engine was content.
    return 0 if passed else 1


def preview(layout: Layout) -> int:
    """Show what `make lab` would change."""
    with exclusive(layout):
        stack = prepare(layout)
        stack.preview(on_output=say, diff=True, color=_color())
    return 0


def destroy(layout: Layout) -> int:
    """Run `pulumi destroy` on the lab; the nodes stay, wiped and in maintenance mode."""
    with exclusive(layout):
        prepare(layout).destroy(on_output=say, show_secrets=False, color=_color())
    return 0


def environment(layout: Layout) -> int:
    """Write the credentials that were asked for (0600) and print the shell lines that use them.

    Raises:
        LabError: there is no lab, or it has no cluster yet.
    """
    with exclusive(layout):
        # Opening a stack that does not exist would create it.
        if not layout.stack_file.exists():
            raise LabError("there is no lab; `make lab` makes one")
        outputs = engine.open_stack(layout).outputs()
    if "kubeconfig" not in outputs:
        raise LabError("the lab has no cluster yet; `make lab` makes one")
    layout.access.mkdir(mode=0o700, exist_ok=True)
    for name in ("kubeconfig", "talosconfig"):
        project.write_private(layout.access / name, str(outputs[name].value))
        say(f"export {name.upper()}='{layout.access / name}'")
    # In front, because kubectl and talosctl must fit the versions of the cluster.
    say(f"export PATH='{layout.tools}':\"$PATH\"")
    return 0


def down(layout: Layout) -> int:
    """End every process of the lab and remove its state."""
    if not layout.state.exists():
        say("there is no lab")
        return 0
    with exclusive(layout):
        # Processes first: they would go on writing into a directory that is being removed.
        ran = simulator.stop(layout)
        shutil.rmtree(layout.state)
    say("lab stopped, its state is removed" if ran else "the lab was not running; its state is removed")
    return 0


def _color() -> str:
    return "always" if sys.stdout.isatty() else "never"
