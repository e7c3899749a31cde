"""How the stack files follow from the cases: each is one base with a few changes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

STACKS = Path(__file__).resolve().parent
KEY = "homelab:cluster"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One stack file.

    Attributes:
        base: Its base in `cases/bases.yaml`.
        changes: Dotted path in the cluster → its value.
        without: Dotted paths that are left out.
        expect: The lines a person must read, without repetition and in order; empty for a valid stack.
        why: What a valid stack is for.
        extra: Other keys under `config:`.
    """

    base: str = "untagged"
    changes: dict[str, Any] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    expect: list[str] = field(default_factory=list)
    why: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@cache
def cases() -> dict[Path, Case]:
    """Return every case by the path of its stack file below `tests/stacks`."""
    found: dict[Path, Case] = {}
    for source in sorted((STACKS / "cases").glob("*/*.yaml")):
        for name, case in yaml.safe_load(source.read_text(encoding="utf-8")).items():
            found[Path(source.parent.name) / f"{name}.yaml"] = Case(**case)
    return found


def document(case: Case) -> dict[str, Any]:
    """Return the cluster of a case."""
    cluster: dict[str, Any] = deepcopy(_bases()[case.base])
    for path, value in case.changes.items():
        parent, key = _place(cluster, path)
        parent[key] = value
    for path in case.without:
        parent, key = _place(cluster, path)
        del parent[key]
    return cluster


def json_of(stack_file: Path) -> str:
    """Return the cluster of a stack file as Pulumi hands it to the program."""
    return json.dumps(yaml.safe_load(stack_file.read_text(encoding="utf-8"))["config"][KEY])


def text(case: Case) -> str:
    """Return the stack file of a case."""
    head = [f"# expect: {line}" for line in case.expect] or [f"# {case.why}"]
    config = {KEY: document(case), **case.extra}
    body = yaml.dump({"config": config}, Dumper=_Plain, sort_keys=False, default_flow_style=None, width=110)
    return "\n".join([*head, body])


@cache
def _bases() -> dict[str, Any]:
    bases: dict[str, Any] = yaml.safe_load((STACKS / "cases" / "bases.yaml").read_text(encoding="utf-8"))
    return bases


def _place(cluster: dict[str, Any], path: str) -> tuple[Any, Any]:
    """Return the mapping or list that holds `path`, and its key there."""
    *parents, last = path.split(".")
    place: Any = cluster
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    return place, int(last) if isinstance(place, list) else last


class _Plain(yaml.SafeDumper):
    """Repeats a value where it stands a second time instead of pointing to the first."""

    def ignore_aliases(self, data: object) -> bool:
        return True
