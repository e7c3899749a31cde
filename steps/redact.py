"""Keeps secrets out of everything a step prints."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "[secret]"
_SHORTEST = 6  # a shorter value is no secret, and hiding it would tear ordinary words apart

# `key: value` of YAML or JSON, where the key's last word says that the value is a secret.
_FIELD = re.compile(
    r"""(?im)^[\s-]*["']?[\w.-]*(?:key|token|secret|password|psk|auth)(?:-data)?["']?\s*:\s*["']?([^\s"',#]+)"""
)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)
# Mixed case and digits: neither a schematic id (hex) nor a long path or name.
_LONG_BASE64 = re.compile(r"(?=[+/\w-]*[a-z])(?=[+/\w-]*[A-Z])(?=[+/\w-]*[0-9])[+/\w-]{40,}={0,2}", re.ASCII)
_BOOTSTRAP_TOKEN = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")


def secret_values(documents: Iterable[str]) -> tuple[str, ...]:
    """Return the secret values found in YAML or JSON documents, longest first, decoded forms included."""
    found = {match[1] for text in documents for match in _FIELD.finditer(text) if len(match[1]) >= _SHORTEST}
    return tuple(
        sorted(found | {plain for value in found for plain in _decoded(value)}, key=lambda v: (-len(v), v))
    )


def _decoded(value: str) -> tuple[str, ...]:
    """Return the lines of key material inside a base64 value: an error text may quote the decoded form."""
    try:
        text = base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ()
    return tuple(
        line for line in text.splitlines() if len(line) >= _SHORTEST and not line.startswith("-----")
    )


def redact(text: str, values: Iterable[str]) -> str:
    """Return the text without the given values and without anything that looks like key material."""
    # Before the values: a value inside a PEM block would tear it apart and leave the rest visible.
    text = _PEM.sub(HIDDEN, text)
    # Longest first, or a short value would cut a longer one and leave its end.
    for value in values:
        text = text.replace(value, HIDDEN)
    text = _LONG_BASE64.sub(HIDDEN, text)
    return _BOOTSTRAP_TOKEN.sub(HIDDEN, text)
