"""Writes the administrator's credentials to files that nobody else may read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ops.sources import CannotCheckError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PRIVATE = 0o600
_NAMED_LISTS = ("clusters", "users", "contexts")


def merged_kubeconfig(there: str, new: str) -> str:
    """Return the kubeconfig `there` with clusters, users and contexts of `new`; the current context stays.

    Raises:
        CannotCheckError: `there` is no kubeconfig.
    """
    document, added = _mapping(there, "kubeconfig"), _mapping(new, "kubeconfig")
    for plural in _NAMED_LISTS:
        # The new entries win: a cluster built again under its old name has another CA.
        fresh = {entry["name"]: entry for entry in added.get(plural) or []}
        kept = [entry for entry in document.get(plural) or [] if entry.get("name") not in fresh]
        document[plural] = [*kept, *fresh.values()]
    # Where a person has chosen a cluster, the next command must not reach another one.
    document["current-context"] = document.get("current-context") or added.get("current-context", "")
    return _text({"apiVersion": "v1", "kind": "Config", **document})


def merged_talosconfig(there: str, new: str) -> str:
    """Return the talosconfig `there` with the contexts of `new`; the current context stays.

    Raises:
        CannotCheckError: `there` is no talosconfig.
    """
    document, added = _mapping(there, "talosconfig"), _mapping(new, "talosconfig")
    document["contexts"] = {**(document.get("contexts") or {}), **(added.get("contexts") or {})}
    document["context"] = document.get("context") or added.get("context", "")
    return _text(document)


def _mapping(text: str, what: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = text
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise CannotCheckError(f"what is there is no {what}; name another file with --output")
    return document


def _text(document: Mapping[str, Any]) -> str:
    # PyYAML would fold long lines; certificates stay on one, as kubectl writes them.
    return yaml.safe_dump(dict(document), sort_keys=False, width=10_000)


def own_file(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """Return the file that the user's tools read: the first of the variable's, else the one in the home."""
    named = environment.get(variable, "").split(os.pathsep)[0]
    return Path(named) if named else Path(environment.get("HOME", "")) / default


def save(path: Path, text: str, merge: Callable[[str, str], str] | None = None) -> str:
    """Write the text, merged into what is there if `merge` is given; return what was done.

    Raises:
        CannotCheckError: the file cannot be read or written, or holds something else.
    """
    try:
        there = path.read_text(encoding="utf-8") if merge and path.exists() else ""
        # The mode is for a new folder; that of an existing one is its owner's choice.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, merge(there, text) if merge and there else text)
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not text in UTF-8"
        raise CannotCheckError(f"{path} cannot be written: {reason}") from None
    return f"{path} {'merged' if there else 'written'}, readable by you alone (0600)"


def _replace(path: Path, text: str) -> None:
    """Put a private file in the place of another in one step."""
    # mkstemp creates with 0600 whatever the umask is, so there is no moment at which others may open it.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # A private key belongs to its owner alone, whatever the file it replaces allowed.
        Path(name).chmod(PRIVATE)
        Path(name).replace(path)
    # Also after Ctrl-C: the copy holds a private key.
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
