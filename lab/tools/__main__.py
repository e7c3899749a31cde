"""Get the named tools, or all that the lab needs; progress on stderr, a line for each part on stdout."""

from __future__ import annotations

import argparse
import sys

from lab.tools.parts import provide
from lab.tools.pins import BY_NAME
from lab.tools.provisioning import Interrupted, ToolsError, ensure


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0; 1: tools are missing, 2: wrong name, 128 + n: signal n."""
    parser = argparse.ArgumentParser(prog="python -m lab.tools", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(BY_NAME)}")
    names = parser.parse_args(arguments).names
    try:
        lines = _named(names) if names else [str(part) for part in provide().parts()]
    except ValueError as error:
        print(f"tools: {error}", file=sys.stderr)
        return 2
    except ToolsError as error:
        print(f"tools: missing:\n{error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        return 128 + interrupted.number
    print("\n".join(lines))
    return 0


def _named(names: list[str]) -> list[str]:
    return [f"{name} {path}" for name, path in ensure(names).items()]


if __name__ == "__main__":
    sys.exit(main())
