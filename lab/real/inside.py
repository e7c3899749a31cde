"""The half of a command that runs inside the LAN's network namespace, where nodes and cluster can be reached.

`python -m lab.real.inside up|destroy STATE`; `lab.real.commands` starts it there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi.automation import CommandError

from lab import engine
from lab.real import program
from lab.real.layout import RealLayout

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


def up(layout: RealLayout) -> int:
    """Run the program once."""
    began = time.monotonic()
    stack_of(layout).up(on_output=say, show_secrets=False, color="never")
    say(f"== pulumi up took {time.monotonic() - began:.1f} s")
    return 0


COMMANDS = {"up": up}


def main(arguments: list[str]) -> int:
    """Run one command; the engine's failure is one message, its own words were streamed."""
    command, state = arguments
    try:
        return COMMANDS[command](RealLayout(Path(state)))
    except CommandError:
        say("lab-real: pulumi failed, see above; run the same command again once it is mended")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
