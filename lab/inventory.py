"""The nodes of the lab: what LAB_NODES asks for, as stack config and as machines of the simulator."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

DEFAULT = "3+2"
DEFAULT_SUBNET = 10
MAX_SUBNET = 99
MAX_CONTROL_PLANES = 7
MAX_WORKERS = 90
VIP = 10
"""Last part of the address that the control planes share."""
TALOS_PORT = 50000
API_PORT = 6443
ETCD_PORTS = (2379, 2380)
_COUNTS = re.compile(r"(\d+)(?:\+(\d+))?")


class InventoryError(ValueError):
    """LAB_NODES cannot be read."""


@dataclass(frozen=True)
class Machine:
    """One simulated machine and the node that it becomes."""

    name: str
    role: str
    number: int
    """Last part of its addresses."""
    subnet: int = DEFAULT_SUBNET
    """Third part of its addresses: labs with different ones run side by side."""

    @property
    def address(self) -> str:
        """Address of the configured node."""
        return f"127.0.{self.subnet}.{self.number}"

    @property
    def maintenance_address(self) -> str:
        """Address that DHCP gave it before it was configured."""
        # Not the configured address: a step that asks the wrong one of the two fails here.
        return f"127.0.{self.subnet + 100}.{self.number}"

    @property
    def lan_address(self) -> str:
        """Address on VLAN 50; nothing listens there, the simulator only reports it."""
        return f"10.0.50.{self.number}"

    @property
    def mac(self) -> str:
        """Locally administered MAC address."""
        return f"02:00:00:00:{self.subnet:02x}:{self.number:02x}"


def parse_nodes(text: str, subnet: str = str(DEFAULT_SUBNET)) -> tuple[Machine, ...]:
    """Return the machines for `3+2` (control planes + workers), `3` or `1`, in 127.0.SUBNET.0/24.

    Raises:
        InventoryError: a text has another form or asks for too many.
    """
    if not subnet.isdecimal() or not 1 <= int(subnet) <= MAX_SUBNET:
        raise InventoryError(f"LAB_SUBNET={subnet!r} must be a number from 1 to {MAX_SUBNET}")
    match = _COUNTS.fullmatch(text.strip())
    control_planes, workers = (int(match[1]), int(match[2] or 0)) if match else (0, 0)
    if not 1 <= control_planes <= MAX_CONTROL_PLANES or workers > MAX_WORKERS:
        raise InventoryError(
            f"LAB_NODES={text!r} must be CONTROL_PLANES or CONTROL_PLANES+WORKERS, for example 3+2, "
            f"with 1 to {MAX_CONTROL_PLANES} control planes and up to {MAX_WORKERS} workers",
        )
    return (
        *(Machine(f"cp{n}", "controlplane", 10 + n, int(subnet)) for n in range(1, control_planes + 1)),
        # Apart from the control planes, so that one more of those renumbers no worker.
        *(Machine(f"w{n}", "worker", 20 + n, int(subnet)) for n in range(1, workers + 1)),
    )


def stack_document(base: dict[str, Any], machines: tuple[Machine, ...]) -> dict[str, Any]:
    """Return the lab's stack file with its node network and nodes replaced by these machines'."""
    # The caller's own document stays as it was read.
    document = deepcopy(base)
    cluster = document["config"]["homelab:cluster"]
    prefix = machines[0].address.rpartition(".")[0]
    cluster["endpoint"] = {"vip": f"{prefix}.{VIP}"}
    cluster["network"] |= {
        "nodeCidr": f"{prefix}.0/24",
        "gateway": f"{prefix}.1",
        "nameservers": [f"{prefix}.1"],
    }
    cluster["nodes"] = [_node(machine) for machine in machines]
    return document


def _node(machine: Machine) -> dict[str, Any]:
    return {
        "name": machine.name,
        "role": machine.role,
        "address": machine.address,
        "maintenanceAddress": machine.maintenance_address,
        "lanAddress": machine.lan_address,
        "interface": {"mac": machine.mac},
        "disk": "/dev/vda",
    }


def listening(machines: tuple[Machine, ...]) -> list[tuple[str, int]]:
    """Return every address and port that the lab will listen on."""
    prefix = machines[0].address.rpartition(".")[0]
    found = [(f"{prefix}.{VIP}", API_PORT)]
    for machine in machines:
        # Both, because a node moves from one to the other while the program runs.
        found += [(machine.maintenance_address, TALOS_PORT), (machine.address, TALOS_PORT)]
        if machine.role == "controlplane":
            found += [(machine.address, port) for port in (API_PORT, *ETCD_PORTS)]
    return found


def simulator_document(
    machines: tuple[Machine, ...],
    state: str,
    binaries: dict[str, str],
    durations: dict[str, str],
) -> dict[str, Any]:
    """Return the simulator's configuration (`lab/sim/README.md`)."""
    return {
        "stateDir": state,
        "binaries": binaries,
        "durations": durations,
        "machines": [
            {
                "id": machine.name,
                "address": machine.maintenance_address,
                "mac": machine.mac,
                "links": [{"name": "eth0", "mac": machine.mac}],
                "disks": [
                    {
                        "path": "/dev/vda",
                        "size": 32 << 30,
                        "serial": f"lab-{machine.name}",
                        "model": "lab disk",
                    }
                ],
            }
            for machine in machines
        ],
    }
