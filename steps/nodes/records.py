"""How the set of nodes is written down: wanted, a line for each node; managed, as the result of a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from clients.errors import OperationError
from clients.talos.machine_identity import parse_record
from steps.nodes.plan import ManagedNode, WantedNode

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = 6  # in a line: name, role, address, both versions, digest of what a preview may show
_DIGITS = 12  # of a digest


def parse_wanted_nodes(lines: str, configs: str) -> dict[str, WantedNode]:
    """Return the wanted nodes by name.

    Args:
        lines: NODES, a line like `cp1 controlplane 10.0.50.11 v1.13.0 v1.36.3 0123456789ab` for each node.
        configs: JSON object of the whole machine configs by node. Their digest decides whether a node has
            changed: that of the line knows no secrets.

    Raises:
        OperationError: a line is no such line, or a node has no machine config.
    """
    documents = parse_configs(configs)
    found = {}
    for line in lines.splitlines():
        words = line.split()
        if len(words) != _WORDS or words[0] not in documents:
            raise OperationError(f"NODES has a line that is no node with a machine config: {line!r}")
        name, role, address, talos, kubernetes, _ = words
        digest = hashlib.sha256(documents[name].encode()).hexdigest()[:_DIGITS]
        found[name] = WantedNode(name, role, address, talos, kubernetes, digest)
    return found


def parse_configs(text: str) -> dict[str, str]:
    """Return the machine configs by name.

    Raises:
        OperationError: they are no JSON object of texts; the message does not show them.
    """
    try:
        documents = json.loads(text)
    except json.JSONDecodeError:
        documents = None
    if not isinstance(documents, dict) or not all(isinstance(item, str) for item in documents.values()):
        raise OperationError("'configs' on stdin must be a JSON object of machine configs by node")
    return documents


def parse_managed(text: str) -> dict[str, ManagedNode]:
    """Return the nodes of a run's result, by name; none if there was no run.

    Raises:
        OperationError: it is no such result.
    """
    try:
        return {name: _managed(name, record) for name, record in json.loads(text or "{}").items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise OperationError("the last result of the nodes holds no records of nodes") from None


def _managed(name: str, record: Mapping[str, Any]) -> ManagedNode:
    fields = ("role", "address", "talos", "kubernetes", "config")
    wanted = WantedNode(name, **{field: str(record[field]) for field in fields})
    return ManagedNode(wanted, parse_record(record["machine"]))


def write_managed(nodes: Mapping[str, ManagedNode]) -> str:
    """Return the result of a run: JSON, a line for each node, so that a change of it can be read."""
    lines = [f"{json.dumps(name)}: {json.dumps(_record(node))}" for name, node in sorted(nodes.items())]
    return "{" + ",\n".join(lines) + "}"


def _record(node: ManagedNode) -> dict[str, Any]:
    record = {key: value for key, value in asdict(node.wanted).items() if key != "name"}
    return {**record, "machine": node.machine.to_record()}
