"""`python -m lab.real up|prove|destroy|nodes|down` (the Makefile calls it)."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from lab.real import make_targets
from lab.real.admin import ClusterError
from lab.real.cgroups import GroupError
from lab.real.host import Unsuitable
from lab.real.lan_bridge import NetworkError
from lab.real.node import NodeError
from lab.real.real_layout import RealLayout
from lab.real.site import SiteError
from lab.real.stations import StationError
from lab.tools import Interrupted, ToolsError

COMMANDS = {
    "up": make_targets.up,
    "prove": make_targets.prove,
    "destroy": make_targets.destroy,
    "nodes": make_targets.nodes,
    "down": make_targets.down,
}


def main(arguments: list[str]) -> int:
    """Run one command; an expected failure is one message and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m lab.real", description=make_targets.__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--state", type=Path, default=RealLayout().state, help="state directory (default: .lab-real)"
    )
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command](RealLayout(options.state.resolve()))
    except Unsuitable as reasons:
        print(f"lab-real cannot run on this machine:\n{reasons}", file=sys.stderr)
    except (SiteError, StationError, NetworkError, NodeError, GroupError, ClusterError) as error:
        print(f"lab-real: {error}", file=sys.stderr)
    except ToolsError as error:
        print(f"lab-real: tools are missing:\n{error}", file=sys.stderr)
    except Interrupted as interrupted:
        return 128 + interrupted.number
    except KeyboardInterrupt:
        print(
            "lab-real: interrupted; the same command goes on from here, `down` ends everything",
            file=sys.stderr,
        )
        return 128 + signal.SIGINT
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
