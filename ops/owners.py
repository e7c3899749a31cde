"""Who applies pools and policy: read from `managedFields`, where two owners are seen before they fight."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from clients.cilium import kinds
from ops.facts import Pool
from ops.table import Row, failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.facts import FieldEntry, Policy, Seen

FLUX, PULUMI = "kustomize-controller", "pulumi-kubernetes"
"""Field managers; Pulumi's may have a suffix."""


def rows(seen: Seen, owner: str) -> Iterator[Row]:
    """Yield whether the objects have the owner that the config names, and no other."""
    for item in _items(seen):
        check = f"owner of {type(item).__name__.lower()} {item.name}"
        found = _names(former(item, owner))
        if found:
            yield failed(
                check,
                f"loadBalancer.owner is {owner}, but {found} holds fields of it",
                "`python -m ops owners --clear` prints how it gives them up (docs/flux.md)",
            )
        else:
            yield passed(check, _names(item.fields) or "nobody has applied it")


def commands(seen: Seen, owner: str) -> Iterator[str]:
    """Yield a shell command per object that has a former owner; it takes only that one's entries away.

    The values stay. Without this, what the new owner removes or changes later would still be held by the
    former one: a removed field would stay, a changed one be a conflict.
    """
    for item in _items(seen):
        # From the end: removing an entry moves those behind it, and the patch names them by position.
        steps = [step for entry in reversed(former(item, owner)) for step in _removal(entry)]
        if steps:
            kind = kinds.POOLS if isinstance(item, Pool) else kinds.POLICIES
            target = ["kubectl", "patch", f"{kind}.cilium.io", item.name, "--type=json"]
            yield shlex.join([*target, f"--patch={json.dumps(steps)}"])


def former(item: Pool | Policy, owner: str) -> list[FieldEntry]:
    """Return the entries of the other owner; those of anybody else are left alone."""
    return [entry for entry in item.fields if _is_former(entry.manager, owner)]


def _removal(entry: FieldEntry) -> list[dict[str, str]]:
    """Return the steps of a JSON patch that removes an entry, if it still is that manager's."""
    path = f"/metadata/managedFields/{entry.index}"
    return [
        # The list may have changed since it was read; then the whole patch fails and nothing is lost.
        {"op": "test", "path": f"{path}/manager", "value": entry.manager},
        {"op": "remove", "path": path},
    ]


def _items(seen: Seen) -> list[Pool | Policy]:
    return [*seen.pools, *seen.policies]


def _names(entries: list[FieldEntry] | tuple[FieldEntry, ...]) -> str:
    return ", ".join(sorted({entry.manager for entry in entries}))


def _is_former(manager: str, owner: str) -> bool:
    # During a handover both are owners on purpose.
    return {"pulumi": manager == FLUX, "flux": manager.startswith(PULUMI)}.get(owner, False)
