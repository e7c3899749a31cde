"""Entry point of `python3 -IS steps <step>`: makes the folder importable as a package and hands over."""

import sys
from os.path import abspath, dirname

if __name__ == "__main__":
    # Python puts this folder itself first; `steps.x` needs the folder above it.
    sys.path[0] = dirname(dirname(abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib costs a tenth of the start

    from steps.runner import main

    sys.exit(main(sys.argv))
