"""`__main__.py` runs on every valid stack, and reads like a table of contents."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import yaml

from tests.cases.stack_cases import valid
from tests.conftest import ROOT, run_program, stack_config

STACKS = {
    **{name: case.cluster() for name, case in valid().items()},
    **{path.stem: stack_config(path) for path in (ROOT / "Pulumi.homelab.yaml", ROOT / "Pulumi.lab.yaml")},
}
GATES = {"homelab-api-ready", "homelab-talos-health", "cilium-ready", "cilium-crds", "cilium-nodes"}


@pytest.mark.parametrize("config", STACKS.values(), ids=STACKS)
def test_the_program_runs_on_every_valid_stack(config: dict[str, Any]) -> None:
    """Whole, as `pulumi preview` runs it; each node has its two steps and each gate is there."""
    graph = run_program(config, preview=True)
    nodes = {node["name"] for node in config["nodes"]}
    prefix = "homelab-apply-"
    assert {name.removeprefix(prefix) for name in graph.resources if name.startswith(prefix)} == nodes
    assert set(graph.resources) >= GATES
    urns = [resource.urn for resource in graph.resources.values()]
    assert len(urns) == len(set(urns))
    assert set(graph.exports) == {
        *("kubeconfig", "talosconfig"),
        *("endpoint", "nodes", "pool", "requestedAddresses", "versions"),
    }


def test_the_program_is_a_table_of_contents() -> None:
    """At most 40 lines, no decision: those belong into components."""
    text = (ROOT / "__main__.py").read_text()
    assert len(text.splitlines()) <= 40
    decisions = (ast.If, ast.IfExp, ast.While, ast.Try, ast.Match, ast.BoolOp)
    assert [node for node in ast.walk(ast.parse(text)) if isinstance(node, decisions)] == []


def test_the_project_disables_default_providers_where_it_counts() -> None:
    """At the top level of the file the engine would ignore it."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert project["config"]["pulumi:disable-default-providers"] == ["*"]
    assert project["config"]["homelab:cluster"]["type"] == "object"
