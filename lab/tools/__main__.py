"""Get the named tools, or all of them: progress on stderr, a `NAME PATH` line for each on stdout."""

from __future__ import annotations

import argparse
import sys

from lab.tools.run import Interrupted, ToolsError, ensure
from lab.tools.specs import BY_NAME


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0; 1: tools are missing, 2: wrong name, 128 + n: signal n."""
    parser = argparse.ArgumentParser(prog="python -m lab.tools", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(BY_NAME)}")
    names = parser.parse_args(arguments).names
    try:
        paths = ensure(names or None)
    except ValueError as error:
        print(f"tools: {error}", file=sys.stderr)
        return 2
    except ToolsError as error:
        print(f"tools: missing:\n{error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        return 128 + interrupted.number
    for name, path in paths.items():
        print(f"{name} {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
