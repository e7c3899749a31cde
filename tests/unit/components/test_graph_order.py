"""In which order the program acts, and what may never be lost or run twice."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest
from pulumi_command import local

from tests.unit.components.graph_names import (
    APPLIED,
    CILIUM,
    GENERAL,
    GUARD,
    NODES,
    POOL,
    RESERVED,
    TALOS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recording import Graph


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("homelab-machine-config-w1", {"homelab-network"}),
        ("homelab-apply-w1", {"homelab-machine-config-w1", "homelab-talosconfig", "homelab-network"}),
        ("homelab-preflight", {"homelab-talosconfig", *(f"homelab-machine-config-{node}" for node in NODES)}),
        *((name, {"homelab-preflight"}) for name in sorted(APPLIED)),
        ("homelab-bootstrap", {f"homelab-apply-cp{number}" for number in (1, 2, 3)}),
        ("homelab-nodes", {"homelab-bootstrap", "homelab-kubeconfig", *APPLIED}),
        ("homelab-etcd", {"homelab-nodes"}),
        ("homelab-api-ready", {"homelab-etcd", "homelab-kubeconfig"}),
        ("homelab-talos-health", {"homelab-api-ready", *APPLIED}),
        ("cilium-release", TALOS - {"homelab-talos-health"}),
        ("cilium-ready", {"cilium-release"}),
        ("cilium-crds", {"cilium-ready"}),
        ("cilium-nodes", {"cilium-ready"}),
        (GUARD, CILIUM | TALOS),
        (GENERAL, {GUARD}),
        (RESERVED, {GENERAL, GUARD}),
        ("load-balancer-policy", CILIUM),
        ("load-balancer-pool-valid", {GENERAL, RESERVED}),
        ("ingress-namespace", POOL | CILIUM),
        ("ingress-service", {"ingress-namespace"}),
        ("ingress-address", {"ingress-service"}),
    ],
)
def test_gates_stand_in_the_order_of_the_design(graph: Graph, name: str, before: set[str]) -> None:
    assert before - graph.waits_for(name) == set()


def test_talos_checks_itself_while_cilium_comes_up(graph: Graph) -> None:
    """Its check needs no CNI and can take half a minute; an address is given out only after it."""
    assert not graph.waits_for("cilium-ready") & {"homelab-talos-health"}


@pytest.mark.parametrize("mode", ["no-reboot", "auto", "staged"])
def test_nodes_are_configured_in_parallel(run_main: Callable[..., Graph], mode: str) -> None:
    """Whatever the mode: it says how a node changes later."""
    graph = run_main({"talos": {"applyMode": mode}})
    for name in APPLIED:
        assert graph.waits_for(name) & APPLIED == set()


def test_workers_are_no_part_of_the_bootstrap(graph: Graph) -> None:
    """A worker's API has no certificate before a control plane runs."""
    assert not graph.waits_for("homelab-bootstrap") & {"homelab-apply-w1", "homelab-apply-w2"}


def test_identity_bootstrap_and_network_are_protected_unless_the_config_says_no(
    run_main: Callable[..., Graph],
) -> None:
    def protected(over: dict[str, Any]) -> set[str]:
        return {name for name, resource in run_main(over).resources.items() if resource.request.protect}

    assert protected({"talos": {"protect": True}}) == {
        "homelab-secrets",
        "homelab-bootstrap",
        "cilium-release",
        *(GENERAL, RESERVED, "load-balancer-policy"),
    }
    assert protected({"talos": {"protect": False}}) == set()


@pytest.mark.parametrize("owner", ["pulumi", "handover"])
def test_pools_are_left_in_the_cluster_only_during_a_handover(
    run_main: Callable[..., Graph], owner: str
) -> None:
    graph = run_main({"talos": {"protect": True}, "loadBalancer": {"owner": owner}})
    handover = owner == "handover"
    for name in (GENERAL, RESERVED, "load-balancer-policy"):
        assert graph[name].request.retainOnDelete is handover
        assert graph[name].request.protect is not handover
    assert graph["kubernetes"].inputs.get("upsertExistingObjects") == ("true" if handover else None)


def test_two_owners_of_an_address_never_exist_together(run_main: Callable[..., Graph]) -> None:
    """A renamed Service and its pool are deleted before the new ones are made, under the same resource."""
    for name in ("ingress-nginx-controller", "another"):
        graph = run_main({"ingress": {"name": name}})
        first = {key for key, r in graph.resources.items() if r.request.deleteBeforeReplace}
        assert first == {GENERAL, RESERVED, "ingress-service"}
        assert graph[RESERVED].inputs["metadata"]["name"] == f"{name}.ingress-nginx"


def test_secrets_and_bootstrap_never_run_again_because_an_input_changed(graph: Graph) -> None:
    """Their result is the cluster itself; every other step looks first and may run again."""
    ignoring = {
        name: set(resource.request.ignoreChanges)
        for name, resource in graph.resources.items()
        if resource.request.ignoreChanges
    }
    words = [name.split("_") for name in signature(local.CommandArgs.__init__).parameters if name[0] != "_"]
    inputs = {first + "".join(word.title() for word in rest) for first, *rest in words}
    assert inputs > {"create", "environment", "addPreviousOutputInEnv"}
    assert ignoring == {"homelab-secrets": inputs, "homelab-bootstrap": inputs}


@pytest.mark.parametrize("word", ["yes", "no"])
def test_whether_a_destroy_wipes_is_an_input_and_no_resource(
    run_main: Callable[..., Graph],
    word: str,
) -> None:
    """So that switching it off deletes nothing."""
    graph = run_main({"talos": {"resetOnDestroy": word == "yes"}})
    assert graph.resources.keys() == run_main({}).resources.keys()
    assert graph["homelab-nodes"].inputs["environment"]["RESET_ON_DESTROY"] == word
