"""Versions as tools print them, and the ranges that fit on PATH. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, int, int]

_NUMBER = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse(text: str) -> Version | None:
    """Return the first dotted version in `text`, or None.

    A missing patch number counts as 0: Helm built from its module says `v3.22`.
    """
    found = _NUMBER.search(text)
    if found is None:
        return None
    return int(found[1]), int(found[2]), int(found[3] or 0)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Versions from `low` (included) to `below` (excluded)."""

    low: Version
    below: Version

    def holds(self, version: Version) -> bool:
        """Tell whether `version` lies in the range."""
        return self.low <= version < self.below

    def __str__(self) -> str:
        major, minor, patch = self.below
        if (major, minor, patch) == (self.low[0], self.low[1] + 1, 0) and self.low[2] == 0:
            return f"{self.low[0]}.{self.low[1]}.x"
        return f">= {dotted(self.low)}, < {dotted(self.below)}"


def minor(major: int, number: int) -> VersionRange:
    """Return the range of all patches of one minor version."""
    return VersionRange((major, number, 0), (major, number + 1, 0))


def dotted(version: Version | None) -> str:
    """Return a version as people write it, `unknown` for None."""
    return "unknown" if version is None else ".".join(str(part) for part in version)
