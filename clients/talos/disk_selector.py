"""Which disks a diskSelector takes: Talos' own reading of it, to be tried before a machine is used.

Source: InstallConfig.DiskMatchExpression and InstallDiskSizeMatcher in Talos' machinery module, 1.13.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clients.talos.hardware import BlockDevice

_SIZE = re.compile(
    r"(?P<comparison>>=|<=|>|<|==)?\s*(?P<number>[0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?P<unit>[A-Za-z]*)"
)
_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_PREFIXES = "kmgtpe"
_TYPES: Mapping[str, Callable[[BlockDevice], bool]] = {
    "nvme": lambda disk: disk.transport == "nvme",
    "sd": lambda disk: disk.transport == "mmc",
    "hdd": lambda disk: disk.is_rotational,
    "ssd": lambda disk: not disk.is_rotational,
}
_PATTERNS: Mapping[str, Callable[[BlockDevice], str]] = {
    "model": lambda disk: disk.model,
    "serial": lambda disk: disk.serial,
    "modalias": lambda disk: disk.modalias,
    "uuid": lambda disk: disk.uuid,
    "wwid": lambda disk: disk.wwid,
    "busPath": lambda disk: disk.bus_path,
}


class SelectorError(ValueError):
    """Talos could not read the selector either."""


def selects(selector: Mapping[str, Any], disk: BlockDevice) -> bool:
    """Return whether Talos would install on the disk.

    Raises:
        SelectorError: Talos does not support the selector.
    """
    # Talos leaves out CD-ROMs and loop devices before it looks at the selector.
    if not disk.is_writable or not disk.transport:
        return False
    return all(_fits(key, str(wanted), disk) for key, wanted in selector.items())


def _fits(key: str, wanted: str, disk: BlockDevice) -> bool:
    if key == "size":
        return _fits_size(wanted, disk.size)
    if key == "type":
        if wanted not in _TYPES:
            raise SelectorError(f"type must be one of {', '.join(_TYPES)}, not {wanted!r}")
        return _TYPES[wanted](disk)
    if key not in _PATTERNS:
        raise SelectorError(f"Talos does not support a selector on {key!r}")
    return matches_glob(wanted, _PATTERNS[key](disk))


def _fits_size(condition: str, size: int) -> bool:
    match = _SIZE.fullmatch(condition.strip())
    if match is None:
        raise SelectorError(f"size must be like '>= 500GB', not {condition!r}")
    wanted = int(float(match["number"]) * _unit(match["unit"].lower()))
    return _COMPARISONS[match["comparison"] or "=="](size, wanted)


def _unit(unit: str) -> int:
    """Return the bytes of a unit, decimal (`GB`, `g`) or binary (`GiB`, `gi`); without one they are bytes."""
    name = unit.removesuffix("b")
    base, prefix = (1024, name.removesuffix("i")) if name.endswith("i") else (1000, name)
    if not prefix and base == 1000:  # noqa: PLR2004 - no prefix at all
        return 1
    if len(prefix) != 1 or prefix not in _PREFIXES:
        raise SelectorError(f"size has an unknown unit {unit!r}")
    return int(base ** (_PREFIXES.index(prefix) + 1))


def matches_glob(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern in which only `*` is special."""
    # No regular expression: a pattern of a user must not be able to take exponential time.
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return text[at:].endswith(rest[-1])
