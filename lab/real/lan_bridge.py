"""The LAN: a bridge in a network namespace, and a namespace with one card for each node and client."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from lab.real import stations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lab.real.stations import Station

NAMESPACE_PREFIX = "talos-lab-"
LAN = f"{NAMESPACE_PREFIX}lan"
BRIDGE = "lan50"


class NetworkError(RuntimeError):
    """`ip` refused something; the message has the command and its words."""


def namespace(name: str) -> str:
    """Return the network namespace of a node or client."""
    return f"{NAMESPACE_PREFIX}{name}"


def inside(name: str, *command: str) -> list[str]:
    """Return a command that runs in a network namespace, with the machine's own mounts.

    `ip netns exec` would mount a new /sys over the one that Cilium's tools need.
    """
    return ["nsenter", f"--net=/run/netns/{name}", *command]


def ip(*arguments: str) -> str:
    """Run `ip` and return its output.

    Raises:
        NetworkError: it failed; the text has its words.
    """
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NetworkError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def existing() -> list[str]:
    """Return the lab's network namespaces that exist."""
    names = (entry["name"] for entry in json.loads(ip("-json", "netns", "list") or "[]"))
    return sorted(name for name in names if name.startswith(NAMESPACE_PREFIX))


def make(machines: Iterable[Station]) -> None:
    """Make the bridge and one namespace for each station that has none yet."""
    there = existing()
    if LAN not in there:
        ip("netns", "add", LAN)
        ip("-n", LAN, "link", "set", "lo", "up")
        # Without spanning tree a port forwards at once, like a switch's with portfast. Without an address of
        # its own a bridge takes that of a port, and changes it when nodes are unplugged.
        kind = ("type", "bridge", "stp_state", "0", "forward_delay", "0")
        ip("-n", LAN, "link", "add", BRIDGE, "address", stations.ROUTER.mac, *kind)
        ip("-n", LAN, "addr", "add", f"{stations.GATEWAY}/{stations.PREFIX}", "dev", BRIDGE)
        ip("-n", LAN, "link", "set", BRIDGE, "up")
    for station in machines:
        if namespace(station.name) not in there:
            _plug_in(station)


def _plug_in(station: Station) -> None:
    name = namespace(station.name)
    ip("netns", "add", name)
    # A new namespace has its loopback down, and the programs of a node talk to each other over it.
    ip("-n", name, "link", "set", "lo", "up")
    card = ("peer", "name", "eth0", "address", station.mac, "netns", name)
    ip("-n", LAN, "link", "add", station.port, "type", "veth", *card)
    ip("-n", LAN, "link", "set", station.port, "master", BRIDGE, "up")
    # A card drops frames for other addresses, a veth shows them to eBPF programs: without this, what clients
    # send to a node that was cut off is flooded to the others, and Cilium there answers in its place.
    ip("-n", LAN, "link", "set", station.port, "type", "bridge_slave", "flood", "off")
    ip("-n", name, "addr", "add", f"{station.address}/{stations.PREFIX}", "dev", "eth0")
    ip("-n", name, "link", "set", "eth0", "up")
    # A default route may be added only once its card is up.
    ip("-n", name, "route", "add", "default", "via", stations.GATEWAY)


def plug(station: Station, *, connected: bool) -> None:
    """Pull a station's cable out of the switch, or put it back."""
    ip("-n", LAN, "link", "set", station.port, "up" if connected else "down")


def reset(station: Station) -> None:
    """Give a station a new network namespace: what a reboot does to addresses, routes and pinned programs."""
    # The namespace's card would go with it, but later: its name on the bridge must be free at once.
    if station.port in ports():
        ip("-n", LAN, "link", "del", station.port)
    remove([namespace(station.name)])
    _plug_in(station)


def ports() -> set[str]:
    """Return the names of the bridge's ports."""
    return {link["ifname"] for link in json.loads(ip("-json", "-n", LAN, "link", "show", "master", BRIDGE))}


def remove(names: Sequence[str] | None = None) -> None:
    """Remove namespaces of the lab (all for None); the links in them go with them."""
    for name in existing() if names is None else names:
        ip("netns", "del", name)
