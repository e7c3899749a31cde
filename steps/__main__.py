"""Entry point of `python3 -IS steps <step>`: makes the folder importable as a package and hands over.

It is the only file that an older Python reads, so it keeps to the syntax of Python 3.6.
"""

import sys
from os.path import abspath, dirname

NEEDED = (3, 11)


def too_old(found: "tuple[int | str, ...]") -> str:  # in quotes: no Python older than 3.10 may evaluate it
    """Return what to say to somebody whose `python3` is too old for the steps, or nothing."""
    if found[:2] >= NEEDED:
        return ""
    return (
        "Python {}.{} or newer is needed, this is {}.{}.{}\n"
        "check: `python3 --version` in the shell that runs pulumi; nothing was changed"
    ).format(*NEEDED, *found[:3])


if __name__ == "__main__":
    if too_old(sys.version_info):
        print(too_old(sys.version_info), file=sys.stderr)
        sys.exit(1)
    # Python puts this folder itself first; `steps.x` needs the folder above it.
    sys.path[0] = dirname(dirname(abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs a tenth of the start

    from steps.runner import main

    sys.exit(main(sys.argv))
