"""The engine's half of a command: it runs inside the LAN's network namespace, where the nodes are.

`python -m lab.real.inside up|destroy|verify STATE`; `lab.real.make_targets` starts it there. What came of it
is written to `run.json` of the state directory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi.automation import CommandError

from clients.talos import process
from lab import engine
from lab.project import replace
from lab.real import program
from lab.real.real_layout import STACK, RealLayout
from ops import sources, table
from ops import verify as product_verify
from ops.sources import CannotCheckError, Credentials

if TYPE_CHECKING:
    from pulumi import automation


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def stack_of(layout: RealLayout) -> automation.Stack:
    """Return the stack, cleared of what an interrupted run left in its state."""
    stack = program.open_stack(layout)
    for line in engine.recover(layout, stack):
        say(line)
    return stack


def up(layout: RealLayout) -> automation.UpdateSummary:
    """Run the program once."""
    return stack_of(layout).up(on_output=say, show_secrets=False, color="never").summary


def destroy(layout: RealLayout) -> automation.UpdateSummary:
    """Destroy what the program made, as configured."""
    return stack_of(layout).destroy(on_output=say, show_secrets=False, color="never").summary


COMMANDS = {"up": up, "destroy": destroy}


def verify(layout: RealLayout) -> int:
    """Write the table of `ops verify`, asked from inside the LAN; return 1 where nothing can be asked."""
    outputs = program.open_stack(layout).outputs()
    credentials = Credentials(str(outputs["kubeconfig"].value), str(outputs["talosconfig"].value))
    cluster = sources.cluster(sources.Place(project=layout.project, stack=STACK))
    try:
        rows = product_verify.verify(cluster, credentials, process.talosctl, product_verify.Scope())
    except CannotCheckError as error:
        say(f"lab-real: the cluster cannot be checked: {error}")
        return 1
    replace(layout.run, table.as_json(rows))
    return 0


def main(arguments: list[str]) -> int:
    """Run one command; the engine's failure is one message, its own words were streamed."""
    command, state = arguments
    layout = RealLayout(Path(state))
    # What an earlier run left must not pass for the result of one that failed.
    layout.run.unlink(missing_ok=True)
    if command == "verify":
        return verify(layout)
    began = time.monotonic()
    try:
        summary = COMMANDS[command](layout)
    except CommandError:
        say("lab-real: pulumi failed, see above; run the same command again once it is fixed")
        return 1
    seconds = round(time.monotonic() - began, 1)
    replace(layout.run, json.dumps({"seconds": seconds, "changes": summary.resource_changes or {}}))
    say(f"== pulumi {command} took {seconds} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
