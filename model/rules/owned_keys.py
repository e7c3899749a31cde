"""What the program owns in documents that a user may extend."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def contradictions(tree: Mapping[str, object], owned: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield path and reason of each owned path that the tree sets, replaces or deletes.

    Args:
        tree: Values or a patch of the user. `$patch` inside a mapping deletes or replaces it as a whole.
        owned: Dotted paths with the reason why the program owns them, or where to set them instead.
    """
    touched = tuple(_touched(tree, ""))
    faults: dict[str, str] = {}
    for path, reason in owned.items():
        for leaf in touched:
            # Both ways: a patch may set a part of what is owned, or delete a mapping that holds it.
            if _within(leaf, path) or _within(path, leaf):
                # The shorter one is sure to stand in the user's file; the longer may not.
                faults.setdefault(min(path, leaf, key=len), reason)
    yield from faults.items()


def _within(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}.")


def _touched(tree: Mapping[str, object], prefix: str) -> Iterator[str]:
    """Yield the paths at which the tree ends: what it leaves open it leaves to the program."""
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and "$patch" not in value:
            yield from _touched(value, f"{path}.")
        else:
            yield path
