"""`python -m ops verify|doctor|owners|render`."""

import sys

from ops.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
