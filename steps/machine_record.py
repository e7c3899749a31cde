"""What the preflight keeps about each machine, and what it is told to look for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.errors import OperationError
from clients.talos.machine_identity import MachineIdentity, parse_record

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class MachineRecord:
    """A machine as it was seen last.

    Attributes:
        is_configured: whether it was a node of ours then; else it was in maintenance mode.
    """

    identity: MachineIdentity
    is_configured: bool

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON data."""
        return {"configured": self.is_configured, **self.identity.to_record()}


def parse_machines(text: str) -> dict[str, MachineRecord]:
    """Return the records that the preflight returned, by node; none if the text is empty.

    Raises:
        OperationError: it is no such result.
    """
    try:
        return {name: _record(record) for name, record in json.loads(text or "{}").items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise OperationError("the last result of the preflight holds no records of machines") from None


def _record(record: Mapping[str, Any]) -> MachineRecord:
    return MachineRecord(parse_record(record), record["configured"] is True)


@dataclass(frozen=True, slots=True)
class WantedMachine:
    """What the stack's configuration says about a machine.

    Attributes:
        card: name of its network card, empty if the MAC address or a patch decides.
        mac: permanent MAC address of its network card, empty if the name or a patch decides.
        disk: path of its install disk, empty if the selector decides.
        selector: Talos' installDiskSelector.
    """

    name: str
    address: str
    maintenance_address: str
    card: str
    mac: str
    disk: str
    selector: Mapping[str, Any]


def parse_wanted(text: str) -> tuple[WantedMachine, ...]:
    """Return the machines of MACHINES, a JSON object in a line for each.

    Raises:
        OperationError: a line is no such object.
    """
    try:
        return tuple(WantedMachine(**json.loads(line)) for line in text.splitlines())
    except (json.JSONDecodeError, TypeError):
        raise OperationError("MACHINES must hold a JSON object in each line, one for each machine") from None
