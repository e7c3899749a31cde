"""Reads the cases and makes the stack of each."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CASES = Path(__file__).resolve().parent
ROOT = CASES.parent.parent
KEY = "homelab:cluster"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One stack.

    Attributes:
        base: Its base in `bases.yaml`.
        changes: Dotted path in the cluster → its value.
        without: Dotted paths that are left out.
        expect: The lines a person must read, without repetition and in order; empty for a valid stack.
        rule: Name of the rule that it breaks, where it breaks one.
        why: What a valid stack is for.
        extra: Other keys under `config:`.
    """

    base: str = "untagged"
    changes: dict[str, Any] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    expect: list[str] = field(default_factory=list)
    rule: str = ""
    why: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def cluster(self) -> dict[str, Any]:
        """Return the value of `homelab:cluster`."""
        made: dict[str, Any] = deepcopy(_bases()[self.base])
        for path, value in self.changes.items():
            parent, key = _place(made, path)
            parent[key] = value
        for path in self.without:
            parent, key = _place(made, path)
            del parent[key]
        return made

    def stack(self) -> dict[str, Any]:
        """Return the whole stack file."""
        return {"config": {KEY: self.cluster(), **self.extra}}

    def json(self) -> str:
        """Return the cluster as Pulumi hands it to the program."""
        return json.dumps(self.cluster())


@cache
def load(file: str) -> dict[str, Case]:
    """Return the cases of a file below tests/cases by name."""
    document = yaml.safe_load((CASES / file).read_text(encoding="utf-8"))
    return {name: Case(**case) for name, case in document.items()}


def valid() -> dict[str, Case]:
    """Return every stack that must load."""
    return load("valid.yaml")


@cache
def refused(kind: str) -> dict[tuple[str, str], Case]:
    """Return the cases of `rules` or `shape` by file stem and name."""
    files = sorted((CASES / kind).glob("*.yaml"))
    return {(file.stem, name): case for file in files for name, case in load(f"{kind}/{file.name}").items()}


def stack_json(path: Path) -> str:
    """Return the cluster of a stack file as Pulumi hands it to the program."""
    return json.dumps(yaml.safe_load(path.read_text(encoding="utf-8"))["config"][KEY])


@cache
def _bases() -> dict[str, Any]:
    bases: dict[str, Any] = yaml.safe_load((CASES / "bases.yaml").read_text(encoding="utf-8"))
    return bases


def _place(cluster: dict[str, Any], path: str) -> tuple[Any, Any]:
    """Return the mapping or list that holds `path`, and its key there."""
    *parents, last = path.split(".")
    place: Any = cluster
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    return place, int(last) if isinstance(place, list) else last
