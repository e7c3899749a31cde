"""`python -m lab up|preview|destroy|env|down` (the Makefile calls it)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pulumi.automation import CommandError

from lab import commands, report
from lab.inventory import InventoryError
from lab.layout import Layout
from lab.simulator import SimulatorError
from lab.tools import Interrupted, ToolsError
from ops.sources import CannotCheckError

COMMANDS = {
    "up": commands.up,
    "preview": commands.preview,
    "destroy": commands.destroy,
    "env": commands.environment,
    "down": commands.down,
}


def main(arguments: list[str]) -> int:
    """Run one command; an expected failure is one message and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=commands.__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--state", type=Path, default=Layout().state, help="state directory (default: .lab)")
    options = parser.parse_args(arguments)
    try:
        # The backend's URL needs an absolute path.
        return COMMANDS[options.command](Layout(options.state.resolve()))
    except (commands.LabError, InventoryError, SimulatorError) as error:
        print(f"lab: {error}", file=sys.stderr)
    except (CannotCheckError, report.ClientError) as error:
        print(f"lab: the cluster cannot be checked: {error}", file=sys.stderr)
    except ToolsError as error:
        print(f"lab: tools are missing:\n{error}", file=sys.stderr)
    except Interrupted as interrupted:
        # The status that a shell gives to a program that a signal ended.
        return 128 + interrupted.number
    except CommandError:  # the engine's own words were streamed
        print("lab: pulumi failed, see above; run the same command again once it is fixed", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
