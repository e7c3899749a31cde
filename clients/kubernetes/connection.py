"""Reads the one cluster and the one user out of a kubeconfig, as talosctl writes it (YAML) or as JSON."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field

from clients.errors import OperationError

_SERVER, _CA = "server", "certificate-authority-data"
_CERTIFICATE, _KEY, _TOKEN = "client-certificate-data", "client-key-data", "token"
_FIELDS = (_SERVER, _CA, _CERTIFICATE, _KEY, _TOKEN)
_LINE = re.compile(rf"""(?m)^[ -]*["']?({"|".join(_FIELDS)})["']?:[ ]*["']?([^\s"']+)["']?\s*$""")


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """How to reach a Kubernetes API server; either certificate and key, or token, is set.

    Attributes:
        server: URL.
        ca: certificate authority of the server, PEM.
        certificate: client certificate, PEM, or empty.
        key: its key, PEM, or empty.
        token: bearer token, or empty.
    """

    server: str
    ca: str = field(repr=False)
    certificate: str = field(repr=False)
    key: str = field(repr=False)
    token: str = field(repr=False)


def parse_kubeconfig(text: str) -> Kubeconfig:
    """Return the access data of a kubeconfig with exactly one cluster and one user.

    No YAML parser exists in the standard library. The five fields wanted are plain scalars on lines of their
    own in everything that talosctl, kubectl and Pulumi write; a file where that is not so is refused, never
    guessed at.

    Raises:
        OperationError: a field is missing, doubled or not base64.
    """
    found = _fields(text)
    # With two clusters in it, the first one found could be somebody else's.
    doubled = sorted({name for name, _ in found if sum(other == name for other, _ in found) > 1})
    if doubled:
        raise _unfit(f"it has more than one {doubled[0]!r}")
    values = dict(found)
    for name in (_SERVER, _CA):
        if name not in values:
            raise _unfit(f"it has no {name!r}")
    if _TOKEN not in values and not {_CERTIFICATE, _KEY} <= values.keys():
        raise _unfit("it has neither a token nor a client certificate with its key")
    return Kubeconfig(
        server=values[_SERVER],
        ca=_decoded(_CA, values),
        certificate=_decoded(_CERTIFICATE, values),
        key=_decoded(_KEY, values),
        token=values.get(_TOKEN, ""),
    )


def _fields(text: str) -> list[tuple[str, str]]:
    """Return the wanted fields with their values, as often as they occur."""
    # Pulumi hands kubeconfigs on as JSON, talosctl writes YAML.
    if text.lstrip().startswith("{"):
        try:
            return list(_walk(json.loads(text)))
        except json.JSONDecodeError:
            raise _unfit("it looks like JSON and is none") from None
    return [(match[1], match[2]) for match in _LINE.finditer(text)]


def _walk(value: object) -> list[tuple[str, str]]:
    """Return the wanted fields anywhere inside a JSON value."""
    if isinstance(value, list):
        return [pair for item in value for pair in _walk(item)]
    if not isinstance(value, dict):
        return []
    own = [(name, item) for name, item in value.items() if name in _FIELDS and isinstance(item, str)]
    return own + [pair for item in value.values() for pair in _walk(item)]


def _decoded(name: str, values: dict[str, str]) -> str:
    """Return the text behind a field in base64, or nothing where the field is missing."""
    try:
        return base64.b64decode(values.get(name, ""), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise _unfit(f"its {name!r} is not base64") from None


def _unfit(reason: str) -> OperationError:
    return OperationError(
        f"the kubeconfig cannot be used: {reason}", "that it holds exactly one cluster and one user"
    )
