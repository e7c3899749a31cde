"""Reads a cluster from JSON and collects its faults, those of shape and those of the rules together."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from model.cilium import Cilium
from model.cluster import Cluster
from model.error_messages import explain
from model.faults import Fault, Faults
from model.ingress import Ingress
from model.json_document import json_document, unusable_numbers
from model.load_balancer import LoadBalancer
from model.network import Endpoint, Lan, Network
from model.nodes import Node
from model.rules import broken_rules
from model.talos import Talos
from model.versions import Versions

# The parts that rules ask for, by their key in the stack file. `nodes` is built one by one.
_PARTS = {
    "endpoint": Endpoint,
    "versions": Versions,
    "network": Network,
    "lan": Lan,
    "talos": Talos,
    "cilium": Cilium,
    "loadBalancer": LoadBalancer,
    "ingress": Ingress,
}
# A part without defaults: if it is missing, the rules that need it cannot be asked.
_REQUIRED = frozenset({"endpoint", "network", "lan", "loadBalancer"})


def read_cluster(text: str) -> Cluster:
    """Return the cluster described by `text`, the JSON of `homelab:cluster`.

    Raises:
        Faults: with every fault that can be told; a rule is asked if the parts it needs have their shape.
    """
    document = json_document(text)
    # pydantic takes such numbers, and Go would refuse them only on the node.
    faults: list[Fault] = list(unusable_numbers(document))
    try:
        # From the text: in strict mode pydantic makes tuples of lists only where it reads JSON itself.
        cluster = Cluster.model_validate_json(text)
    except ValidationError as error:
        # Rules run on the sound parts all the same, so that a person sees every fault in one go.
        faults.extend(explain(error, Cluster, document))
        if isinstance(document, dict):
            faults.extend(broken_rules(sound_parts(_without_unknown_keys(document, error))))
        raise Faults(faults) from None
    faults.extend(broken_rules(parts_of(cluster)))
    if faults:
        raise Faults(faults)
    return cluster


def parts_of(cluster: Cluster) -> dict[str, Any]:
    """Return the parts of a cluster under the names by which rules ask for them."""
    parts = {name: getattr(cluster, name) for name in Cluster.model_fields}
    return {**parts, "all_nodes": cluster.nodes}


def _without_unknown_keys(document: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """Return the document less its misspelled keys, so that they do not hide other faults."""
    known = deepcopy(document)
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] == "extra_forbidden":
            *parents, key = detail["loc"]
            parent: Any = known
            for part in parents:
                parent = parent[part]
            del parent[key]
    return known


def sound_parts(document: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a faulty document that have their shape.

    `nodes` are those nodes that have theirs, `all_nodes` exists only if every one has.
    """
    parts: dict[str, Any] = {}
    for key, model in _PARTS.items():
        if key in document or key not in _REQUIRED:
            part = _sound(model, document.get(key, {}))
            if part is not None:
                # A part with a default exists also where the file does not name it.
                parts[_snake(key)] = part
    listed = document.get("nodes")
    if isinstance(listed, list):
        nodes = [_sound(Node, entry) for entry in listed]
        parts["nodes"] = tuple(node for node in nodes if node is not None)
        # With one node missing, rules that count or compare all nodes would find faults that are none.
        if nodes and None not in nodes:
            parts["all_nodes"] = parts["nodes"]
    return parts


def _sound(model: Any, value: object) -> Any:  # noqa: ANN401 - one of several models
    try:
        # Through JSON again, where strict mode allows a list for a tuple.
        return model.model_validate_json(json.dumps(value))
    except ValidationError:
        return None


def _snake(key: str) -> str:
    return "load_balancer" if key == "loadBalancer" else key
