"""Which top-level keys the Cilium chart knows, by minor release; each list names its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from model.versions import written

if TYPE_CHECKING:
    from model.versions import Minor


@cache
def chart_keys(minor: Minor) -> frozenset[str]:
    """Return the keys of a minor of the chart; nothing if it is not known."""
    path = Path(__file__).with_name(f"cilium-{written(minor)}.txt")
    # A minor without a list is a fault of the support matrix; failing here would hide all other faults.
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return frozenset(line for line in lines if not line.startswith("#"))
