"""`python -m lab.gotests`: vet and test the lab's Go modules with the toolchain and flags of its builds."""

from __future__ import annotations

import os
import subprocess
import sys

from lab.layout import REPOSITORY
from lab.tools import ensure, golang

MODULES = ("lab/sim", "lab/plugins")
TOOLS = {
    "TALOSCTL": "talosctl",
    "ETCD": "etcd",
    "KUBE_APISERVER": "kube-apiserver",
    "KUBE_CONTROLLER_MANAGER": "kube-controller-manager",
    "KUBE_SCHEDULER": "kube-scheduler",
    "CILIUM_CHART": "cilium-chart",
}
"""Variables by which a Go test finds the real programs that it is held against."""


def main() -> int:
    """Return 1 if a module does not pass; each says what it runs."""
    # Without these programs the Go tests would skip what matters and still pass.
    paths = ensure(TOOLS.values())
    environment = golang.environment(dict(os.environ)) | {
        name: str(paths[tool]) for name, tool in TOOLS.items()
    }
    failed = False
    for module in MODULES:
        for command in (("vet", "./..."), ("test", "./...")):
            print(f"{module}: go {' '.join(command)}", flush=True)
            done = subprocess.run(
                [golang.find(), *command], cwd=REPOSITORY / module, env=environment, check=False
            )
            # All modules run: whoever changed both wants to see both failures.
            failed |= done.returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
