"""What the program tells each step, and how long it may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from model.versions import KUBERNETES, TALOS
from tests.unit.components.graph_names import APPLIED, GUARD, commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recording import Graph


def test_steps_run_without_a_shell_and_without_anything_of_this_machine(graph: Graph) -> None:
    for name, resource in commands(graph).items():
        inputs = resource.inputs
        assert inputs["interpreter"] == ["python3", "-IS", "steps"], name
        assert inputs["addPreviousOutputInEnv"] is ("update" in inputs), name
        assert not inputs.keys() & {"dir", "triggers", "assetPaths", "archivePaths"}, name


def test_only_the_set_of_nodes_does_something_when_it_is_deleted(graph: Graph) -> None:
    found = {name: r.inputs["delete"] for name, r in commands(graph).items() if "delete" in r.inputs}
    assert found == {"homelab-nodes": "nodes-end"}
    assert [name for name, resource in commands(graph).items() if "create" not in resource.inputs] == []


def test_who_judges_a_change_by_the_last_result(graph: Graph) -> None:
    found = {name: r.inputs["update"] for name, r in commands(graph).items() if "update" in r.inputs}
    assert found == {
        "homelab-network": "network-kept",
        "homelab-preflight": "preflight",
        "homelab-nodes": "nodes",
        **dict.fromkeys(APPLIED, "apply"),
    }


def test_each_node_is_a_line_of_the_set(run_main: Callable[..., Graph]) -> None:
    def lines(over: dict[str, Any]) -> list[str]:
        return str(run_main(over)["homelab-nodes"].inputs["environment"]["NODES"]).splitlines()

    found = lines({})
    assert [line.rpartition(" ")[0] for line in found] == [
        f"{name} {role} 127.0.10.{number} {TALOS} {KUBERNETES}"
        for name, role, number in (
            ("cp1", "controlplane", 11),
            ("cp2", "controlplane", 12),
            ("cp3", "controlplane", 13),
            ("w1", "worker", 21),
            ("w2", "worker", 22),
        )
    ]
    patched = lines({"talos": {"patches": {"worker": [{"machine": {"sysctls": {"vm.swappiness": "1"}}}]}}})
    assert [before == after for before, after in zip(found, patched, strict=True)] == [
        *(True, True, True),
        *(False, False),
    ]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("homelab-network", "network-pinned"),
        ("homelab-secrets", "secrets"),
        ("homelab-talosconfig", "talosconfig"),
        ("homelab-machine-config-w1", "machine-config"),
        ("homelab-preflight", "preflight"),
        ("homelab-apply-w1", "apply"),
        ("homelab-bootstrap", "bootstrap"),
        ("homelab-nodes", "nodes"),
        ("homelab-etcd", "etcd"),
        ("homelab-kubeconfig", "kubeconfig"),
        ("homelab-api-ready", "api-ready"),
        ("homelab-talos-health", "talos-health"),
        ("cilium-ready", "cilium-ready"),
        ("cilium-crds", "crds-established"),
        ("cilium-nodes", "nodes-ready"),
        (GUARD, "addresses-kept"),
        ("load-balancer-pool-valid", "pool-valid"),
        ("ingress-address", "address-assigned"),
    ],
)
def test_each_command_runs_its_step(graph: Graph, name: str, step: str) -> None:
    assert graph[name].inputs["create"] == step


CONTROL_PLANES = "cp1=127.0.10.11 cp2=127.0.10.12 cp3=127.0.10.13"


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("homelab-secrets", {"TALOS_VERSION": TALOS}),
        (
            "homelab-talosconfig",
            {
                "CLUSTER_NAME": "homelab",
                "ENDPOINT": "https://127.0.10.10:6443",
                "TALOS_VERSION": TALOS,
                "CONTROL_PLANES": CONTROL_PLANES,
                "CREDENTIALS_SERIAL": "1",
            },
        ),
        (
            "homelab-apply-cp2",
            {
                "CLUSTER_NAME": "homelab",
                "NODE": "cp2",
                "ADDRESS": "127.0.10.12",
                "MAINTENANCE_ADDRESS": "127.0.110.12",
                "APPLY_MODE": "no-reboot",
                "REACHABLE_TIMEOUT": "60",
                "MAC": "02:00:00:00:0a:0c",
            },
        ),
        (
            "homelab-network",
            {
                "POD_CIDR": "10.244.0.0/16",
                "NODE_MASK": "24",
                "SERVICE_CIDR": "10.96.0.0/12",
                "IPAM_MODE": "kubernetes",
            },
        ),
        (
            GUARD,
            {
                "POOLS": "homelab: 10.0.50.201-10.0.50.207\n"
                "ingress-nginx-controller.ingress-nginx: "
                "10.0.50.200-10.0.50.200 for ingress-nginx/ingress-nginx-controller",
                "REQUESTS": "ingress-nginx/ingress-nginx-controller=10.0.50.200",
                "ACKNOWLEDGE": "",
            },
        ),
        ("homelab-bootstrap", {"CONTROL_PLANES": CONTROL_PLANES, "BOOTSTRAP_NODE": "cp1"}),
        ("homelab-etcd", {"CONTROL_PLANES": CONTROL_PLANES}),
        (
            "homelab-kubeconfig",
            {
                "ENDPOINT": "https://127.0.10.10:6443",
                "CONTROL_PLANES": CONTROL_PLANES,
                "CREDENTIALS_SERIAL": "1",
            },
        ),
        ("homelab-api-ready", {"ENDPOINT": "https://127.0.10.10:6443"}),
        ("cilium-ready", {"REVISION": "1", "NAMESPACE": "kube-system"}),
        (
            "cilium-crds",
            {"CRDS": "ciliumloadbalancerippools.cilium.io ciliuml2announcementpolicies.cilium.io"},
        ),
        (
            "ingress-address",
            {"SERVICE": "ingress-nginx/ingress-nginx-controller", "ADDRESS": "10.0.50.200"},
        ),
    ],
)
def test_steps_get_this_plain_data(graph: Graph, name: str, environment: dict[str, str]) -> None:
    found = dict(graph[name].inputs["environment"])
    del found["STEP_TIMEOUT"]
    assert found == environment


def test_a_gate_is_asked_again_when_what_it_judges_has_changed(run_main: Callable[..., Graph]) -> None:
    """Health follows the machine configs, the pool gate the pools; nothing else changes them."""

    def digests(over: dict[str, Any]) -> tuple[str, str]:
        graph = run_main(over)
        nodes = dict(graph["cilium-nodes"].inputs["environment"])
        health = str(graph["homelab-talos-health"].inputs["environment"]["AFTER_CONFIG"])
        assert nodes == {"NODES": "cp1 cp2 cp3 w1 w2", "AFTER_CONFIG": health, "STEP_TIMEOUT": "120"}
        return health, graph["load-balancer-pool-valid"].inputs["environment"]["POOL_DIGEST"]

    health, pools = digests({})
    assert digests({"cilium": {"hubble": {"enabled": True}}}) == (health, pools)
    patched = digests({"talos": {"patches": {"worker": [{"machine": {"sysctls": {"vm.swappiness": "1"}}}]}}})
    assert patched[0] != health
    assert patched[1] == pools
    moved = digests({"ingress": {"address": "10.0.50.201"}})
    assert moved[0] == health
    assert moved[1] != pools


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("homelab-secrets", 120),
        ("homelab-preflight", 60 + 120),
        ("homelab-apply-cp1", 60 + 180),
        ("homelab-nodes", 5 * 180),
        ("homelab-bootstrap", 60),
        ("homelab-etcd", 120),
        ("homelab-kubeconfig", 120),
        ("homelab-talos-health", 120),
        ("cilium-ready", 180),
        ("cilium-crds", 120),
        ("load-balancer-pool-valid", 60),
        ("ingress-address", 60),
    ],
)
def test_the_step_gives_up_before_the_engine_ends_it(graph: Graph, name: str, seconds: int) -> None:
    """A step says what is missing, the engine only that it took too long."""
    assert graph[name].inputs["environment"]["STEP_TIMEOUT"] == str(seconds)
    limit = f"{seconds + 30}s"
    assert graph[name].timeouts == {"create": limit, "update": limit, "delete": limit}


def test_every_command_has_a_limit(graph: Graph) -> None:
    assert [name for name, resource in commands(graph).items() if "" in resource.timeouts.values()] == []
