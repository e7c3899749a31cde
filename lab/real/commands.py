"""What `make lab-real` and `make lab-real-down` do."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from lab.layout import REPOSITORY
from lab.real import host, inventory, network, program, site

if TYPE_CHECKING:
    from lab.real.layout import RealLayout

NODES = "LAB_REAL_NODES"


def say(text: str) -> None:
    """Print a line at once, so that a long step is not mistaken for a hang."""
    print(text, flush=True)


def prepare(layout: RealLayout) -> site.Site:
    """Get every part, start what does not run, and write the project directory."""
    machines = inventory.parse_nodes(os.environ.get(NODES) or inventory.DEFAULT)
    parts = site.provide(say)
    made = site.Site(layout, parts, machines)
    for line in made.start():
        say(f"started {line}")
    program.assemble(layout, machines, parts.tools, deviates=parts.host.deviates)
    return made


def nodes(layout: RealLayout) -> int:
    """Start the LAN, the registry and the nodes, and nothing else."""
    with site.exclusive(layout):
        prepare(layout)
    return 0


def up(layout: RealLayout) -> int:
    """Run the program from maintenance mode to an address that answers."""
    with site.exclusive(layout):
        prepare(layout)
        return inside(layout, "up")


def inside(layout: RealLayout, command: str) -> int:
    """Run the half of a command that needs the LAN; return its exit code."""
    python = (sys.executable, "-m", "lab.real.inside", command, str(layout.state))
    return subprocess.run(network.inside(network.LAN, *python), cwd=REPOSITORY, check=False).returncode


def down(layout: RealLayout) -> int:
    """End every process of the lab and remove its namespaces, cgroups and state."""
    machine = host.inspect()
    with site.exclusive(layout):
        found = site.clear(layout, machine)
    say("lab-real ended: " + "; ".join(found))
    return 0
