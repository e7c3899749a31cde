"""Where the secrets of the program go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.recording import Secret
from tests.unit.components.graph_names import GUARD, NODES, commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recording import Graph, Registered

SECRET_STEPS = {"secrets", "talosconfig", "machine-config", "kubeconfig"}


def secret_json(resource: Registered) -> dict[str, Any]:
    stdin = resource.inputs["stdin"]
    assert isinstance(stdin, Secret)
    found = json.loads(stdin.value)
    assert isinstance(found, dict)
    return found


def test_secret_results_are_declared_and_never_logged(graph: Graph) -> None:
    for name, resource in commands(graph).items():
        secret = resource.inputs.get("create") in SECRET_STEPS
        assert list(resource.request.additionalSecretOutputs) == (["stdout"] if secret else []), name
        assert resource.inputs["logging"] == ("none" if secret else "stderr"), name


def test_secrets_travel_only_as_secret_stdin(graph: Graph) -> None:
    """The fake provider prints `stdout of …`: wherever that appears, a result of a step went."""
    for name, resource in commands(graph).items():
        inputs = dict(resource.inputs)
        stdin = inputs.pop("stdin", Secret("{}"))
        assert isinstance(stdin, Secret), name
        assert "stdout of" not in json.dumps(inputs), name


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("homelab-talosconfig", {"secrets": "stdout of homelab-secrets"}),
        ("homelab-machine-config-cp1", {"secrets": "stdout of homelab-secrets"}),
        (
            "homelab-apply-cp1",
            {
                "machineConfig": "stdout of homelab-machine-config-cp1",
                "talosconfig": "stdout of homelab-talosconfig",
            },
        ),
        ("homelab-preflight", {"talosconfig": "stdout of homelab-talosconfig"}),
        (
            "homelab-nodes",
            {
                "configs": json.dumps({node: f"stdout of homelab-machine-config-{node}" for node in NODES}),
                "kubeconfig": "stdout of homelab-kubeconfig",
                "talosconfig": "stdout of homelab-talosconfig",
            },
        ),
        ("homelab-bootstrap", {"talosconfig": "stdout of homelab-talosconfig"}),
        ("homelab-etcd", {"talosconfig": "stdout of homelab-talosconfig"}),
        ("homelab-kubeconfig", {"talosconfig": "stdout of homelab-talosconfig"}),
        ("homelab-talos-health", {"talosconfig": "stdout of homelab-talosconfig"}),
        ("homelab-api-ready", {"kubeconfig": "stdout of homelab-kubeconfig"}),
        ("cilium-ready", {"kubeconfig": "stdout of homelab-kubeconfig"}),
        ("cilium-crds", {"kubeconfig": "stdout of homelab-kubeconfig"}),
        ("cilium-nodes", {"kubeconfig": "stdout of homelab-kubeconfig"}),
        (GUARD, {"kubeconfig": "stdout of homelab-kubeconfig"}),
        ("load-balancer-pool-valid", {"kubeconfig": "stdout of homelab-kubeconfig"}),
        ("ingress-address", {"kubeconfig": "stdout of homelab-kubeconfig"}),
    ],
)
def test_steps_get_these_secrets_and_no_other(graph: Graph, name: str, secrets: dict[str, str]) -> None:
    assert secret_json(graph[name]) == secrets


def test_imported_secrets_replace_the_step_that_makes_them(run_main: Callable[..., Graph]) -> None:
    graph = run_main(secrets="an existing bundle")
    assert "homelab-secrets" not in graph.resources
    for name in ("homelab-talosconfig", "homelab-machine-config-w2"):
        assert secret_json(graph[name]) == {"secrets": "an existing bundle"}
