"""The order in which a stack file lists things changes nothing: no URN, no input, no dependency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT, run_program, stack_config

if TYPE_CHECKING:
    from tests.recording import Graph

BASE = stack_config(ROOT / "Pulumi.lab.yaml")


def shape(graph: Graph) -> dict[str, Any]:
    """Return all that the engine compares and orders by."""
    return {
        resource.urn: (resource.inputs, sorted(resource.request.dependencies), resource.outputs)
        for resource in graph.resources.values()
    }


REFERENCE = shape(run_program(BASE))


@settings(max_examples=12, deadline=None)
@given(st.permutations(BASE["nodes"]))
def test_the_order_of_nodes_changes_nothing(nodes: list[dict[str, Any]]) -> None:
    assert shape(run_program({**BASE, "nodes": nodes})) == REFERENCE


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_the_order_of_keys_changes_nothing(data: st.DataObject) -> None:
    """In the cluster, in each section and in each node."""

    def shuffled(value: object) -> object:
        if isinstance(value, list):
            return [shuffled(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: shuffled(value[key]) for key in data.draw(st.permutations(list(value)))}

    cluster = shuffled(BASE)
    assert isinstance(cluster, dict)
    assert shape(run_program(cluster)) == REFERENCE


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(BASE["nodes"][3:]))
def test_one_worker_less_changes_no_other_node(gone: dict[str, Any]) -> None:
    """What remains keeps its URN and its machine config."""
    remaining = [node for node in BASE["nodes"] if node is not gone]
    graph = run_program({**BASE, "nodes": remaining})
    for node in remaining:
        for step in ("machine-config", "apply"):
            resource = graph[f"homelab-{step}-{node['name']}"]
            assert shape(graph)[resource.urn] == REFERENCE[resource.urn]
