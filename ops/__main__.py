"""`python -m ops verify|doctor|owners|render|config`."""

import sys

from ops.dispatch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
