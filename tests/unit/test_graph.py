"""What the program registers: resources, parents, order, limits, marks of secrets and protection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.recording import Secret, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recording import Graph, Registered

COMMAND = "command:local:Command"
NODES = ("cp1", "cp2", "cp3", "w1", "w2")
TALOS = {
    "homelab-network",
    *("homelab-secrets", "homelab-talosconfig", "homelab-kubeconfig"),
    *("homelab-bootstrap", "homelab-etcd", "homelab-api-ready", "homelab-talos-health"),
    *(f"homelab-{step}-{node}" for step in ("machine-config", "apply", "reset") for node in NODES),
}
CILIUM = {"cilium-release", "cilium-ready", "cilium-crds", "cilium-nodes"}
GENERAL = "load-balancer-pool-homelab"
RESERVED = "load-balancer-pool-ingress"
GUARD = "load-balancer-addresses"
POOL = {GUARD, GENERAL, RESERVED, "load-balancer-policy", "load-balancer-pool-valid"}
INGRESS = {"ingress-namespace", "ingress-service", "ingress-address"}
COMPONENTS = {
    "homelab": ("homelab:talos:Cluster", TALOS),
    "cilium": ("homelab:cilium:Cilium", CILIUM),
    "load-balancer": ("homelab:cilium:LoadBalancerPool", POOL),
    "ingress": ("homelab:kubernetes:IngressService", INGRESS),
    "network-policies": ("homelab:cilium:NetworkPolicies", set()),
}
KUBERNETES = {
    "cilium-release": "kubernetes:helm.sh/v3:Release",
    GENERAL: "kubernetes:cilium.io/v2:CiliumLoadBalancerIPPool",
    RESERVED: "kubernetes:cilium.io/v2:CiliumLoadBalancerIPPool",
    "load-balancer-policy": "kubernetes:cilium.io/v2alpha1:CiliumL2AnnouncementPolicy",
    "ingress-namespace": "kubernetes:core/v1:Namespace",
    "ingress-service": "kubernetes:core/v1:Service",
}
SECRET_STEPS = {"secrets", "talosconfig", "machine-config", "kubeconfig"}


@pytest.fixture(scope="module")
def graph(run_main: Callable[..., Graph]) -> Graph:
    """The lab stack: every kind of resource but the gate of the lease."""
    return run_main()


def commands(graph: Graph) -> dict[str, Registered]:
    return {name: resource for name, resource in graph.resources.items() if resource.type == COMMAND}


def secret_json(resource: Registered) -> dict[str, Any]:
    stdin = resource.inputs["stdin"]
    assert isinstance(stdin, Secret)
    found = json.loads(stdin.value)
    assert isinstance(found, dict)
    return found


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
        "cilium": {"version": "1.20.2"},
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
        "versions": {"talos": "v1.13.0", "kubernetes": "v1.36.3", "cilium": "1.20.2"},
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


# --- steps


def test_steps_run_without_a_shell_and_without_anything_of_this_machine(graph: Graph) -> None:
    for name, resource in commands(graph).items():
        inputs = resource.inputs
        assert inputs["interpreter"] == ["python3", "-IS", "steps"], name
        assert inputs["addPreviousOutputInEnv"] is ("update" in inputs), name
        assert not inputs.keys() & {"dir", "triggers", "assetPaths", "archivePaths"}, name


def test_only_an_armed_reset_does_something_when_it_is_deleted(graph: Graph) -> None:
    found = {
        name: resource.inputs["delete"]
        for name, resource in commands(graph).items()
        if "delete" in resource.inputs
    }
    assert found == {f"homelab-reset-{node}": "reset" for node in NODES}
    assert [name for name, resource in commands(graph).items() if "create" not in resource.inputs] == list(
        found
    )


def test_only_the_pinned_network_judges_a_change_by_its_last_result(graph: Graph) -> None:
    found = {name: r.inputs["update"] for name, r in commands(graph).items() if "update" in r.inputs}
    assert found == {"homelab-network": "network-kept"}


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("homelab-network", "network-pinned"),
        ("homelab-secrets", "secrets"),
        ("homelab-talosconfig", "talosconfig"),
        ("homelab-machine-config-w1", "machine-config"),
        ("homelab-apply-w1", "apply"),
        ("homelab-bootstrap", "bootstrap"),
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
        ("homelab-secrets", {"TALOS_VERSION": "v1.13.0"}),
        (
            "homelab-talosconfig",
            {
                "CLUSTER_NAME": "homelab",
                "ENDPOINT": "https://127.0.10.10:6443",
                "TALOS_VERSION": "v1.13.0",
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
            },
        ),
        ("homelab-reset-w2", {"CLUSTER_NAME": "homelab", "NODE": "w2", "ADDRESS": "127.0.10.22"}),
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
        ("homelab-apply-cp1", 60 + 180),
        ("homelab-reset-cp1", 180),
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


# --- secrets


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
        ("homelab-reset-cp1", {"talosconfig": "stdout of homelab-talosconfig"}),
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


# --- order


APPLIED = {f"homelab-apply-{node}" for node in NODES}


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("homelab-machine-config-w1", {"homelab-network"}),
        ("homelab-apply-w1", {"homelab-machine-config-w1", "homelab-talosconfig", "homelab-network"}),
        ("homelab-bootstrap", {f"homelab-apply-cp{number}" for number in (1, 2, 3)}),
        ("homelab-etcd", {"homelab-bootstrap"}),
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
    """Whatever the mode: a step that has to reboot its node takes a lock for that."""
    graph = run_main({"talos": {"applyMode": mode}})
    for name in APPLIED:
        assert graph.waits_for(name) & APPLIED == set()


def test_workers_are_wiped_before_control_planes(graph: Graph) -> None:
    """What is made last is deleted first, and draining a worker needs an API server."""
    armed = {f"homelab-reset-{node}" for node in NODES}
    control_planes = {f"homelab-reset-cp{number}" for number in (1, 2, 3)}
    assert {name: graph.waits_for(name) & armed for name in sorted(armed)} == {
        name: set() if name in control_planes else control_planes for name in sorted(armed)
    }


def test_workers_are_no_part_of_the_bootstrap(graph: Graph) -> None:
    """A worker that does not boot must not keep etcd from starting."""
    assert not graph.waits_for("homelab-etcd") & {"homelab-apply-w1", "homelab-apply-w2"}


# --- what may never be lost, or run twice


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
    inputs = {"create", "environment", "interpreter", "logging", "stdin", "addPreviousOutputInEnv"}
    assert ignoring == {"homelab-secrets": inputs, "homelab-bootstrap": inputs}
    assert set(graph["homelab-bootstrap"].inputs) <= inputs


def test_nodes_are_never_reset_unless_the_config_says_so(run_main: Callable[..., Graph]) -> None:
    graph = run_main({"talos": {"resetOnDestroy": False}})
    assert [name for name in graph.resources if "reset" in name] == []
    assert [name for name, resource in commands(graph).items() if "delete" in resource.inputs] == []


# --- preview


def test_a_preview_of_a_fresh_stack_needs_no_node_and_no_cluster(run_main: Callable[..., Graph]) -> None:
    """Nothing is known yet, and the plan is the same."""
    planned = run_main(preview=True)
    assert planned.types() == run_main().types()
    assert planned["kubernetes"].inputs["kubeconfig"] == Secret(Unknown())
    assert planned["cilium-ready"].inputs["environment"]["REVISION"] == Unknown()
    assert planned.exports["kubeconfig"] == Secret(Unknown())
    assert planned["homelab-machine-config-cp1"].inputs["environment"]["NODE"] == "cp1"
