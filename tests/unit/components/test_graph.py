"""What the program registers: resources, parents, providers and outputs; also before anything is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model import versions
from tests.recording import Secret, Unknown
from tests.unit.components.graph_names import (
    CILIUM,
    COMMAND,
    COMPONENTS,
    INGRESS,
    KUBERNETES,
    NODES,
    POOL,
    TALOS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recording import Graph


def test_the_lab_stack_has_exactly_these_resources(graph: Graph) -> None:
    expected = {("pulumi:providers:command", "command"), ("pulumi:providers:kubernetes", "kubernetes")}
    for component, (token, children) in COMPONENTS.items():
        expected.add((token, component))
        expected |= {(KUBERNETES.get(child, COMMAND), child) for child in children}
    assert graph.types() == expected


@pytest.mark.parametrize("component", COMPONENTS)
def test_children_belong_to_their_component_and_carry_its_name(graph: Graph, component: str) -> None:
    children = {name for name in graph.resources if graph.parent(name) == component}
    assert children == COMPONENTS[component][1]
    assert {name for name in children if not name.startswith(f"{component}-")} == set()


def test_only_components_and_providers_belong_to_the_stack(graph: Graph) -> None:
    assert {name for name in graph.resources if graph.parent(name) == ""} == {
        "command",
        "kubernetes",
        *COMPONENTS,
    }


def test_every_resource_has_an_explicit_provider(graph: Graph) -> None:
    """Default providers are disabled: a forgotten one would stop the program."""
    found = {name: graph.provider(name) for name in graph.resources if graph.parent(name)}
    assert found == {
        name: "kubernetes" if name in KUBERNETES else "command" for name in TALOS | CILIUM | POOL | INGRESS
    }


def test_outputs_of_every_component_are_registered(graph: Graph) -> None:
    assert {name: graph[name].outputs for name in COMPONENTS} == {
        "homelab": {
            "kubeconfig": Secret("stdout of homelab-kubeconfig"),
            "talosconfig": Secret("stdout of homelab-talosconfig"),
        },
        "cilium": {"version": versions.CILIUM},
        "load-balancer": {"cidr": "10.0.50.200/29"},
        "ingress": {"address": "10.0.50.200"},
        "network-policies": {"defaultDeny": []},
    }


def test_stack_outputs_are_complete_and_only_credentials_are_secret(graph: Graph) -> None:
    nodes = [
        {
            "name": name,
            "role": "controlplane" if name.startswith("cp") else "worker",
            "address": f"127.0.10.{number}",
            "lanAddress": f"10.0.50.{number}",
        }
        for name, number in zip(NODES, (11, 12, 13, 21, 22), strict=True)
    ]
    assert graph.exports == {
        "kubeconfig": Secret("stdout of homelab-kubeconfig"),
        "talosconfig": Secret("stdout of homelab-talosconfig"),
        "endpoint": "https://127.0.10.10:6443",
        "nodes": nodes,
        "pool": "10.0.50.200/29",
        "requestedAddresses": {"ingress-nginx/ingress-nginx-controller": "10.0.50.200"},
        "versions": {
            "talos": versions.TALOS,
            "kubernetes": versions.KUBERNETES,
            "cilium": versions.CILIUM,
        },
    }


def test_the_kubernetes_provider_keeps_its_identity_when_credentials_are_renewed(graph: Graph) -> None:
    assert graph["kubernetes"].inputs == {
        "kubeconfig": Secret("stdout of homelab-kubeconfig"),
        "clusterIdentifier": "homelab",
        "enableServerSideApply": "true",
    }


def test_the_kubernetes_provider_is_configured_only_when_the_api_answers(graph: Graph) -> None:
    """It asks the API server once, when it is configured, and calls it unreachable for the whole run."""
    assert "homelab-api-ready" in graph.waits_for("kubernetes")


def test_a_preview_of_a_fresh_stack_needs_no_node_and_no_cluster(run_main: Callable[..., Graph]) -> None:
    """Nothing is known yet, and the plan is the same."""
    planned = run_main(preview=True)
    assert planned.types() == run_main().types()
    assert planned["kubernetes"].inputs["kubeconfig"] == Secret(Unknown())
    assert planned["cilium-ready"].inputs["environment"]["REVISION"] == Unknown()
    assert planned.exports["kubeconfig"] == Secret(Unknown())
    assert planned["homelab-machine-config-cp1"].inputs["environment"]["NODE"] == "cp1"
