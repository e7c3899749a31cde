"""The talosconfig: the few fields that steps need, read and written strictly."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Sequence

# The standard library has no YAML parser; talosctl writes these few lines in one fixed form.
_NO_ADDRESSES = re.compile(r"(?m)^(?P<indent> +)endpoints: \[\]$")
_CA = re.compile(r"(?m)^ +ca: (\S+)$")
_LIST = r"(?m)^(?P<indent> +){name}:\n(?P<items>(?:(?P=indent) *- \S+\n)+)"


@dataclass(frozen=True, slots=True)
class Talosconfig:
    """What a talosconfig says.

    Attributes:
        ca: certificate of the cluster's Talos CA, PEM.
        nodes: addresses of the control planes.
    """

    ca: str
    nodes: tuple[str, ...]


def with_addresses(generated: str, addresses: Sequence[str]) -> str:
    """Return a generated talosconfig with endpoints and nodes.

    Raises:
        OperationError: the text is not what talosctl v1.13 generates.
    """
    # A newer talosctl may write another form: refusing it is safer than editing what is not understood.
    if len(_NO_ADDRESSES.findall(generated)) != 1 or re.search(r"(?m)^ +nodes:", generated):
        raise OperationError(
            "talosctl generated a talosconfig that this step does not know: "
            "expected exactly one line 'endpoints: []' and no 'nodes:'",
            "the version of talosctl (`talosctl version --client`)",
        )
    return _NO_ADDRESSES.sub(
        lambda match: "\n".join(
            line
            for name in ("endpoints", "nodes")
            for line in (f"{match['indent']}{name}:", *(f"{match['indent']}    - {a}" for a in addresses))
        ),
        generated,
    )


def parse_talosconfig(text: str) -> Talosconfig:
    """Return what a talosconfig made by `with_addresses` says.

    Raises:
        OperationError: it has not exactly one context with CA and nodes.
    """
    authorities = _CA.findall(text)
    nodes = re.findall(_LIST.format(name="nodes"), f"{text}\n")
    if len(authorities) != 1 or len(nodes) != 1:
        raise OperationError(
            "the talosconfig on stdin must hold exactly one context, with 'ca' and a list 'nodes'"
        )
    try:
        ca = base64.b64decode(authorities[0], validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise OperationError(
            "the field 'ca' of the talosconfig on stdin is not a certificate in base64"
        ) from None
    items = nodes[0][1]
    return Talosconfig(ca, tuple(re.findall(r"- (\S+)", items)))
