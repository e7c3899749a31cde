"""What tells one machine from another, whatever runs on it.

Its firmware's UUID and serial number and the addresses burnt into its network cards outlive a reset of Talos,
which certificates, addresses and the cluster's own identities do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What vendors ship instead of a value; many machines share it.
_NO_UUIDS = frozenset(
    {
        "",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "03000200-0400-0500-0006-000700080009",
    }
)
_NO_SERIALS = frozenset(
    {
        "",
        "0",
        "none",
        "n/a",
        "123456789",
        "0123456789",
        "default string",
        "not applicable",
        "not specified",
        "system serial number",
        "to be filled by o.e.m.",
    }
)


@dataclass(frozen=True, slots=True)
class MachineIdentity:
    """Who a machine is; empty where it does not say.

    Attributes:
        uuid: of its firmware (SMBIOS), lower case; not always unique.
        serial: serial number of its firmware; not always there.
        macs: permanent addresses of its physical network cards, sorted.
    """

    uuid: str = ""
    serial: str = ""
    macs: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return `UUID …, serial number …, MAC … …`, as far as known."""
        named = (("UUID", self.uuid), ("serial number", self.serial), ("MAC", " ".join(self.macs)))
        return ", ".join(f"{name} {value}" for name, value in named if value) or "a machine without identity"

    def is_same(self, other: MachineIdentity) -> bool:
        """Return whether both are one machine.

        A network card in common is proof, unless both firmwares say otherwise: a card can move. Without one,
        firmware of the same UUID and serial number has got new cards. Containers say nothing, and are all the
        same.
        """
        if self == other:
            return True
        uuids, serials = (self._known_uuid, other._known_uuid), (self._known_serial, other._known_serial)
        # A network card can be moved to another machine, its firmware cannot.
        if all(uuids) and uuids[0] != uuids[1]:
            return False
        if set(self.macs) & set(other.macs):
            return True
        # Some vendors ship one UUID for a whole series; only both together are proof.
        return all(uuids) and all(serials) and serials[0] == serials[1]

    @property
    def _known_uuid(self) -> str:
        return "" if self.uuid in _NO_UUIDS else self.uuid

    @property
    def _known_serial(self) -> str:
        return "" if self.serial.lower() in _NO_SERIALS else self.serial

    def to_record(self) -> dict[str, Any]:
        """Return the identity as JSON data."""
        return {"uuid": self.uuid, "serial": self.serial, "macs": list(self.macs)}


def parse_record(record: Mapping[str, Any]) -> MachineIdentity:
    """Return the identity that `to_record` wrote.

    Raises:
        ValueError: it is no such record.
    """
    uuid, serial, macs = (record.get(key) for key in ("uuid", "serial", "macs"))
    if not (isinstance(uuid, str) and isinstance(serial, str) and isinstance(macs, list)):
        raise ValueError("not the record of a machine's identity")  # noqa: TRY004 - a fault of the text
    return MachineIdentity(uuid, serial, tuple(str(mac) for mac in macs))
