"""Who applies pools and policy: read from `managedFields`, where two owners are seen before they fight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.table import Row, failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.facts import Policy, Pool, Seen

FLUX, PULUMI = "kustomize-controller", "pulumi-kubernetes"
"""Field managers; Pulumi's may have a suffix."""


def rows(seen: Seen, owner: str) -> Iterator[Row]:
    """Yield whether the objects have the owner that the config names, and no other."""
    items: list[Pool | Policy] = [*seen.pools, *seen.policies]
    for item in items:
        check = f"owner of {type(item).__name__.lower()} {item.name}"
        strangers = [name for name in item.managers if not _is_expected(name, owner)]
        if strangers:
            yield failed(
                check,
                f"loadBalancer.owner is {owner}, but {', '.join(strangers)} holds fields of it",
                "one of them gives it up: docs/flux.md, clearing the former owner",
            )
        else:
            yield passed(check, ", ".join(item.managers) or "nobody has applied it")


def _is_expected(manager: str, owner: str) -> bool:
    """Tell whether a manager may hold fields of an object with this owner; unknown ones are left alone."""
    of_flux, of_pulumi = manager == FLUX, manager.startswith(PULUMI)
    return not {"pulumi": of_flux, "flux": of_pulumi}.get(owner, False)
