"""Entry point of `python3 -IS steps <step>`: makes the folder importable as a package and hands over."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python puts this folder itself first; `steps.x` needs the folder above it.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

    from steps.cli import main

    sys.exit(main(sys.argv))
