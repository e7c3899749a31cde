"""What this machine has, and what it sees of the nodes."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.talos.handshake import Sight, State, look
from ops import certificates
from ops.table import Row, failed, not_applicable, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model import Cluster, Node
    from ops.sources import Credentials

VERSION_PATIENCE = 30.0  # seconds
_PARALLEL = 32


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that a person needs.

    Attributes:
        arguments: What makes it print its version.
        needed: What for; empty for one that only helps.
    """

    name: str
    arguments: tuple[str, ...]
    needed: str = ""


TOOLS = (
    Tool("pulumi", ("version",), "`pulumi up`"),
    Tool("talosctl", ("version", "--client", "--short"), "every step on a node"),
    Tool("kubectl", ("version", "--client")),
    Tool("helm", ("version", "--short")),
)


def tools() -> Iterator[Row]:
    """Yield which programs are here, in which version."""
    for tool in TOOLS:
        path = shutil.which(tool.name)
        if path is not None:
            yield _version(tool, path)
        elif tool.needed:
            yield failed(tool.name, "not on PATH", f"{tool.needed} needs it; `mise install` has the pins")
        else:
            yield not_applicable(tool.name, "not on PATH; only for looking around by hand")


def _version(tool: Tool, path: str) -> Row:
    try:
        done = subprocess.run(
            [path, *tool.arguments],
            # A tool that asks something would wait for an answer that nobody gives.
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=VERSION_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return failed(tool.name, f"{path} does not run")
    # talosctl and kubectl print a heading before the line with the version.
    lines = [line.strip() for line in done.stdout.splitlines() if any(c.isdigit() for c in line)]
    if done.returncode != 0 or not lines:
        return failed(tool.name, f"{path} tells no version")
    return passed(tool.name, lines[0])


def nodes(cluster: Cluster, credentials: Credentials) -> Iterator[Row]:
    """Yield what answers at the address of each node, and where it is in maintenance mode."""
    try:
        ca = certificates.talos_ca(credentials.talosconfig) if credentials.talosconfig else ""
    except certificates.UnreadableError:
        # An unreadable talosconfig has a line of its own already; nodes are looked at all the same.
        ca = ""
    # Side by side, because a machine that is off takes the whole limit of a look.
    everyone = (*cluster.control_planes, *cluster.workers)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for node, sights in zip(everyone, pool.map(lambda node: _sights(node, ca), everyone), strict=True):
            yield node_row(node.name, sights, known=bool(ca))


def _sights(node: Node, ca: str) -> list[Sight]:
    # A node may have one address in both modes; it is asked once.
    addresses = dict.fromkeys([str(node.address), str(node.maintenance_address or node.address)])
    return [look(address, ca) for address in addresses]


def node_row(name: str, sights: list[Sight], *, known: bool) -> Row:
    """Return what a node is, from what answers at its addresses.

    `known` tells whether the CA of our cluster is known; before the first `pulumi up` there is none.
    """
    check = f"node {name}"
    # The own address counts most; the one of maintenance mode may belong to another machine by now.
    states = {sight.state: sight for sight in reversed(sights)}
    if State.OURS in states:
        return passed(check, str(states[State.OURS]))
    if State.MAINTENANCE in states:
        return passed(check, f"{states[State.MAINTENANCE]}: `pulumi up` configures it")
    for state, advice in _TROUBLES:
        # Before the first `pulumi up` no CA is known, so every configured node looks foreign.
        if state in states and (known or state is not State.FOREIGN):
            return failed(check, str(states[state]), advice)
    if State.FOREIGN in states:
        return failed(check, f"{states[State.FOREIGN].address} belongs to some cluster", _RESET)
    return failed(check, "; ".join(str(sight) for sight in sights), "power, cable, address, port 50000")


_RESET = "this program never touches it; reset it with its own talosconfig, or correct the address"
_TROUBLES = (
    (State.FOREIGN, _RESET),
    (State.CLOCK, "the node's clock or this machine's: network.ntpServers"),
    (State.STRANGER, "another device has this address"),
)
