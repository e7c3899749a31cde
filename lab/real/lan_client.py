"""What a client on the LAN sees of an address: ARP, its own ARP cache, HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.layout import REPOSITORY
from lab.real import lan_bridge, packages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.real.stations import RealMachine, Station

_REPLY = re.compile(r"reply from (\S+) \[([0-9A-F:]{17})\]", re.IGNORECASE)


@dataclass(frozen=True)
class Response:
    """What an ingress pod said: who it is, where it runs, and which client address it saw."""

    pod: str
    node: str
    client: str


@dataclass(frozen=True)
class LanClient:
    """A machine on the LAN that is no part of the cluster.

    Attributes:
        station: Its place on the LAN.
        http: The program that asks a URL once.
    """

    station: Station
    http: Path

    @property
    def namespace(self) -> str:
        """Its network namespace."""
        return lan_bridge.namespace(self.station.name)

    def arping(self, address: str, count: int = 3) -> tuple[str, list[str]]:
        """Ask with arping; return its output and the MAC addresses that answered."""
        # Broadcast each time (-b): after a first answer arping would ask that node only.
        command = (packages.find("arping"), "-b", "-c", str(count), "-w", "5", "-I", "eth0", address)
        done = subprocess.run(
            lan_bridge.inside(self.namespace, *command), capture_output=True, text=True, check=False
        )
        return done.stdout, [mac.lower() for found, mac in _REPLY.findall(done.stdout) if found == address]

    def forget(self) -> None:
        """Empty its ARP cache."""
        lan_bridge.ip("-n", self.namespace, "neigh", "flush", "dev", "eth0")

    def cached(self, address: str) -> str | None:
        """Return the MAC address in its ARP cache."""
        entries = json.loads(lan_bridge.ip("-json", "-n", self.namespace, "neigh", "show", address) or "[]")
        return next((str(entry["lladdr"]) for entry in entries if "lladdr" in entry), None)

    def get(self, address: str) -> Response | None:
        """Ask for `/` once over HTTP; None where nothing answers in time."""
        command = lan_bridge.inside(self.namespace, str(self.http), "get", f"http://{address}/")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # A failure is an answer here: an address that nobody serves is what some checks expect.
        return Response(**json.loads(done.stdout)) if done.returncode == 0 else None

    def ask(self, address: str, times: int) -> list[Response]:
        """Ask several times, each with a new connection; return the answers that came."""
        return [answer for _ in range(times) if (answer := self.get(address)) is not None]

    def watch(self, address: str, seconds: float) -> subprocess.Popen[str]:
        """Start asking without pause; `lab.real.lan_watch` has the format of what it prints."""
        probe = (sys.executable, "-m", "lab.real.lan_watch", self.station.address, address, str(seconds))
        return subprocess.Popen(
            lan_bridge.inside(self.namespace, *probe), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )


def owner(mac: str, machines: Sequence[RealMachine]) -> str:
    """Return the node that has a MAC address, the address itself if none has."""
    return next((machine.name for machine in machines if machine.mac == mac), mac)
