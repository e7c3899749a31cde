"""What `make lab-real` and `make lab-real-down` do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.real import host, inventory, site

if TYPE_CHECKING:
    from lab.real.layout import RealLayout

NODES = "LAB_REAL_NODES"


def say(text: str) -> None:
    """Print a line at once, so that a long step is not mistaken for a hang."""
    print(text, flush=True)


def nodes(layout: RealLayout) -> int:
    """Start the LAN, the registry and the nodes, and nothing else."""
    machines = inventory.parse_nodes(os.environ.get(NODES) or inventory.DEFAULT)
    with site.exclusive(layout):
        started = site.Site(layout, site.provide(say), machines).start()
    for line in started:
        say(f"started {line}")
    return 0


def down(layout: RealLayout) -> int:
    """End every process of the lab and remove its namespaces, cgroups and state."""
    machine = host.inspect()
    with site.exclusive(layout):
        found = site.clear(layout, machine)
    say("lab-real ended: " + "; ".join(found))
    return 0
