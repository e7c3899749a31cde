"""Reads an ordinary kubeconfig: several clusters and contexts, any YAML style, data in files beside it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import yaml

_AS_DATA = {
    "certificate-authority": "certificate-authority-data",
    "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
    "tokenFile": "token",
}
"""Keys that name a file → keys that hold its content."""
_KEPT = ("server", *_AS_DATA.values())
"""The rest is notes of other tools, which may hold what JSON does not have."""
_PROGRAMS = ("exec", "auth-provider")


class KubeconfigFileError(ValueError):
    """The file is no kubeconfig that can be used; the text says why."""


def current_context(text: str, folder: Path = Path()) -> str:
    """Return the cluster and the user of the current context alone, as JSON, with the content of files.

    Args:
        text: The kubeconfig.
        folder: Where it lies; paths in it are relative to that.

    Raises:
        KubeconfigFileError: it is no kubeconfig, has no such context, or needs a program for its credentials.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        raise KubeconfigFileError("it is no YAML") from None
    if not isinstance(document, dict):
        raise KubeconfigFileError("it is no kubeconfig")
    context = _chosen(document)
    cluster = _named(document, "clusters", "cluster", context.get("cluster"))
    user = _named(document, "users", "user", context.get("user"))
    # Running a program that a file names is more than a check should do.
    for program in _PROGRAMS:
        if program in user:
            raise KubeconfigFileError(
                f"its user gets credentials from a program ({program}); use one with a certificate or a token"
            )
    parts = [("clusters", "cluster", cluster), ("users", "user", user)]
    return json.dumps({plural: [{key: _with_content(value, folder)}] for plural, key, value in parts})


def _chosen(document: dict[str, Any]) -> dict[str, Any]:
    """Return the current context; without contexts, the only cluster and the only user."""
    contexts = _list(document, "contexts")
    name = document.get("current-context")
    if not contexts:
        return {}
    # kubectl would ask localhost then; with a single context there is no doubt what is meant.
    if not name and len(contexts) == 1:
        return _named(document, "contexts", "context", None)
    if not name:
        raise KubeconfigFileError("it has several contexts and no current-context")
    return _named(document, "contexts", "context", name)


def _named(document: dict[str, Any], plural: str, key: str, name: object) -> dict[str, Any]:
    entries = [entry for entry in _list(document, plural) if isinstance(entry, dict)]
    named = [entry for entry in entries if name is None or entry.get("name") == name]
    found: list[dict[str, Any]] = [entry[key] for entry in named if isinstance(entry.get(key), dict)]
    # kubectl takes the first of two with one name; which one that is depends on how the file was merged.
    if len(found) != 1:
        which = f" {name!r}" if name is not None else ""
        raise KubeconfigFileError(f"it has {len(found)} {plural}{which}, and one is needed")
    return found[0]


def _list(document: dict[str, Any], plural: str) -> list[Any]:
    entries = document.get(plural)
    return entries if isinstance(entries, list) else []


def _with_content(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    result = {key: value[key] for key in _KEPT if isinstance(value.get(key), str)}
    for key, data in _AS_DATA.items():
        # A certificate in the file wins over one that it names, as in client-go.
        if key in value and data not in result:
            result[data] = _content(folder / str(value[key]), encode=data != "token")
    return result


def _content(path: Path, *, encode: bool) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise KubeconfigFileError(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    # Editors end a file with a line break, which a token in an HTTP header must not have.
    return base64.b64encode(content).decode() if encode else content.decode("utf-8", "replace").strip()
