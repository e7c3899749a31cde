"""The nodes and clients of the real lab on the LAN bridge."""

from __future__ import annotations

import re
from dataclasses import dataclass

NETWORK = "10.0.50"
"""The LAN: VLAN 50's access side."""

PREFIX = 24
REGISTRY_PORT = 5000
DEFAULT = "1+2"
MAX_CONTROL_PLANES = 3
MAX_WORKERS = 4
_COUNTS = re.compile(r"(\d+)(?:\+(\d+))?")


class StationError(ValueError):
    """LAB_REAL_NODES cannot be read."""


@dataclass(frozen=True)
class Station:
    """Something with a network card on the LAN bridge.

    Attributes:
        name: Node name, or name of a client.
        number: Last part of its address.
    """

    name: str
    number: int

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return f"{NETWORK}.{self.number}"

    @property
    def mac(self) -> str:
        """Locally administered MAC address, the address in its last four bytes."""
        # A 2 in the first byte marks the address as locally administered, which no vendor's card has.
        octets = (2, 0, *(int(part) for part in self.address.split(".")))
        return ":".join(f"{octet:02x}" for octet in octets)

    @property
    def port(self) -> str:
        """Name of its port on the bridge."""
        # Short: the kernel takes no interface name of more than 15 characters.
        return f"v-{self.name}"


@dataclass(frozen=True)
class RealMachine(Station):
    """A Talos node."""

    role: str = "worker"


ROUTER = Station("lan", 1)
"""The bridge itself."""

GATEWAY = ROUTER.address
"""Gateway of the nodes and registry; Pulumi, talosctl and kubectl run there."""

CLIENTS = (Station("client1", 101), Station("client2", 102))
"""Ordinary machines on the LAN: no part of the cluster."""


def parse_nodes(text: str) -> tuple[RealMachine, ...]:
    """Return the nodes for `1+2` (control planes + workers) or `1`.

    Raises:
        StationError: the text has another form or asks for too many.
    """
    match = _COUNTS.fullmatch(text.strip())
    control_planes, workers = (int(match[1]), int(match[2] or 0)) if match else (0, 0)
    if not 1 <= control_planes <= MAX_CONTROL_PLANES or workers > MAX_WORKERS:
        raise StationError(
            f"LAB_REAL_NODES={text!r} must be CONTROL_PLANES+WORKERS, for example {DEFAULT}, "
            f"with 1 to {MAX_CONTROL_PLANES} control planes and up to {MAX_WORKERS} workers",
        )
    return (
        *(RealMachine(f"cp{n}", 10 + n, "controlplane") for n in range(1, control_planes + 1)),
        *(RealMachine(f"w{n}", 20 + n, "worker") for n in range(1, workers + 1)),
    )
