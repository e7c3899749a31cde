"""The real chart of the pinned version renders the program's values into what Talos and the LAN need."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.cilium.values import helm_values
from lab.tools import ensure
from model.charts import chart_keys
from model.versions import CILIUM
from tests.golden.documents import VALUES, load

if TYPE_CHECKING:
    from pathlib import Path

    from model import Cluster

PINNED = CILIUM
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # several times as fast, where libyaml is there


@dataclass(frozen=True)
class RenderedChart:
    """The chart and the Helm that renders it."""

    helm: Path
    path: Path

    def template(self, values: dict[str, Any], kubernetes: str) -> subprocess.CompletedProcess[str]:
        """Run `helm template` with values on stdin."""
        command = (str(self.helm), "template", "cilium", str(self.path), "--namespace=kube-system")
        return subprocess.run(
            (*command, f"--kube-version={kubernetes}", "--values=-"),
            input=yaml.safe_dump(values),
            text=True,
            capture_output=True,
            check=False,
        )

    def render(self, cluster: Cluster) -> str:
        """Return all manifests of the release."""
        done = self.template(helm_values(cluster), cluster.versions.kubernetes)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def chart() -> RenderedChart:
    """The real chart and the real Helm, found or built."""
    tools = ensure(["helm", "cilium-chart"])
    return RenderedChart(helm=tools["helm"], path=tools["cilium-chart"])


class Manifests:
    """Rendered objects by kind and name."""

    def __init__(self, text: str) -> None:
        documents = [document for document in yaml.load_all(text, Loader=LOADER) if document]
        self.found = {(document["kind"], document["metadata"]["name"]): document for document in documents}

    def __getitem__(self, key: tuple[str, str]) -> Any:  # noqa: ANN401 - any manifest
        return self.found[key]

    @property
    def agent(self) -> Any:  # noqa: ANN401 - a container
        """The agent's container."""
        containers = self["DaemonSet", "cilium"]["spec"]["template"]["spec"]["containers"]
        return next(container for container in containers if container["name"] == "cilium-agent")


@cache
def rendered(chart: RenderedChart, stack: str) -> Manifests:
    return Manifests(chart.render(load(stack)))


def test_the_chart_is_the_pinned_one(chart: RenderedChart) -> None:
    assert yaml.safe_load((chart.path / "Chart.yaml").read_text())["version"] == PINNED
    assert load("untagged").versions.cilium == PINNED


@pytest.mark.parametrize("stack", VALUES)
def test_the_agent_replaces_kube_proxy_and_announces(chart: RenderedChart, stack: str) -> None:
    settings = rendered(chart, stack)["ConfigMap", "cilium-config"]["data"]
    expected = {
        "kube-proxy-replacement": "true",
        "ipam": "kubernetes",
        "enable-l2-announcements": "true",
        "enable-host-legacy-routing": "true",
        "default-lb-service-ipam": "lbipam",
        "enable-lb-ipam": "true",
    }
    assert {key: settings.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ("tagged", ("15s", "5s", "2s", "20", "40")),
        ("fast-failover", ("3s", "1s", "200ms", "50", "100")),
    ],
)
def test_leases_and_their_rate_limit_reach_the_agent(
    chart: RenderedChart, stack: str, expected: tuple[str, ...]
) -> None:
    settings = rendered(chart, stack)["ConfigMap", "cilium-config"]["data"]
    keys = ("lease-duration", "renew-deadline", "retry-period")
    found = [settings[f"l2-announcements-{key}"] for key in keys]
    assert (*found, settings["k8s-client-qps"], settings["k8s-client-burst"]) == expected


@pytest.mark.parametrize("stack", VALUES)
def test_the_agent_may_do_what_talos_allows_and_no_more(chart: RenderedChart, stack: str) -> None:
    """Talos takes SYS_MODULE from every container: asking for it keeps the agent from starting."""
    capabilities = rendered(chart, stack).agent["securityContext"]["capabilities"]
    assert capabilities["drop"] == ["ALL"]
    assert not {"SYS_MODULE", "SYSLOG"} & set(capabilities["add"])
    assert {"NET_ADMIN", "SYS_ADMIN", "IPC_LOCK"} <= set(capabilities["add"])


@pytest.mark.parametrize("stack", VALUES)
def test_the_agent_reaches_the_api_through_kube_prism(chart: RenderedChart, stack: str) -> None:
    """Without kube-proxy the Service of the API does not work before Cilium does."""
    environment = {entry["name"]: entry.get("value") for entry in rendered(chart, stack).agent["env"]}
    assert environment["KUBERNETES_SERVICE_HOST"] == "localhost"
    assert environment["KUBERNETES_SERVICE_PORT"] == "7445"


@pytest.mark.parametrize("stack", VALUES)
def test_the_cgroup_of_the_host_is_used_as_it_is(chart: RenderedChart, stack: str) -> None:
    """On Talos nobody may mount another one."""
    pod = rendered(chart, stack)["DaemonSet", "cilium"]["spec"]["template"]["spec"]
    assert "mount-cgroup" not in {container["name"] for container in pod["initContainers"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}
    assert "/sys/fs/cgroup" in paths.values()


@pytest.mark.parametrize("stack", VALUES)
def test_the_agent_may_hold_leases(chart: RenderedChart, stack: str) -> None:
    """The permission comes with l2announcements.enabled only."""
    rules = rendered(chart, stack)["ClusterRole", "cilium"]["rules"]
    roles = rendered(chart, stack).found
    leases = [rule for rule in rules if "leases" in rule.get("resources", [])]
    leases += [
        rule
        for (kind, _), role in roles.items()
        if kind == "Role"
        for rule in role["rules"]
        if "leases" in rule.get("resources", [])
    ]
    assert any({"create", "get", "update"} <= set(rule["verbs"]) for rule in leases)


@pytest.mark.parametrize(("stack", "replicas"), [("single-node", 1), ("tagged", 2)])
def test_every_operator_replica_finds_a_node(chart: RenderedChart, stack: str, replicas: int) -> None:
    """Replicas exclude each other on a node."""
    assert rendered(chart, stack)["Deployment", "cilium-operator"]["spec"]["replicas"] == replicas


def test_hubble_is_off_unless_asked_for(chart: RenderedChart) -> None:
    off, on = rendered(chart, "tagged"), rendered(chart, "hubble")
    parts = {
        ("Deployment", "hubble-relay"),
        ("Deployment", "hubble-ui"),
        ("CronJob", "hubble-generate-certs"),
    }
    assert parts & off.found.keys() == set()
    assert parts <= on.found.keys()
    assert off["ConfigMap", "cilium-config"]["data"]["enable-hubble"] == "false"
    assert on["ConfigMap", "cilium-config"]["data"]["enable-hubble"] == "true"


def test_native_routing_knows_pods_and_neighbours(chart: RenderedChart) -> None:
    native, tunnel = (
        rendered(chart, stack)["ConfigMap", "cilium-config"]["data"] for stack in ("native-routing", "tagged")
    )
    assert native["routing-mode"] == "native"
    assert native["ipv4-native-routing-cidr"] == "10.244.0.0/16"
    assert native["auto-direct-node-routes"] == "true"
    assert (tunnel["routing-mode"], tunnel["tunnel-protocol"]) == ("tunnel", "vxlan")
    assert tunnel["auto-direct-node-routes"] == "false"


def test_every_option_reaches_agent_and_operator(chart: RenderedChart) -> None:
    on, off = (rendered(chart, stack) for stack in ("everything-on", "tagged"))
    settings, plain = (found["ConfigMap", "cilium-config"]["data"] for found in (on, off))
    expected = {
        "devices": "eno1 vlan50",
        "enable-wireguard": "true",
        "enable-bandwidth-manager": "true",
        "enable-gateway-api": "true",
        "prometheus-serve-addr": ":9962",
        "operator-prometheus-serve-addr": ":9963",
        "hubble-metrics": "dns drop",
    }
    assert {key: str(settings.get(key)).strip() for key in expected} == expected
    assert [key for key in expected if plain.get(key) == settings[key]] == []
    assert ("GatewayClass", "cilium") in on.found
    assert ("GatewayClass", "cilium") not in off.found
    ports = {port["name"]: port["containerPort"] for port in on.agent["ports"]}
    assert ports["prometheus"] == 9962


def test_the_known_keys_are_those_of_the_chart(chart: RenderedChart) -> None:
    """After a new version of the chart: its keys belong into model/charts."""
    keys = set(yaml.safe_load((chart.path / "values.yaml").read_text()))
    assert keys - chart_keys((1, 20)) == set()


@pytest.mark.parametrize("stack", VALUES)
def test_rendering_twice_gives_the_same_text(chart: RenderedChart, stack: str) -> None:
    """With the chart's own certificate method every preview would show new certificates."""
    assert chart.render(load(stack)) == chart.render(load(stack))


def test_user_values_reach_the_chart(chart: RenderedChart) -> None:
    """The stack sets what the program leaves open, and what it does not own."""
    cluster = load("values")
    assert cluster.cilium.values
    plain = cluster.model_copy(update={"cilium": cluster.cilium.model_copy(update={"values": {}})})
    assert chart.render(cluster) != chart.render(plain)


def test_the_chart_refuses_the_old_word_strict(chart: RenderedChart) -> None:
    """Why the program writes `true` for it."""
    cluster = load("strict")
    refused = chart.template(
        {**helm_values(cluster), "kubeProxyReplacement": "strict"}, cluster.versions.kubernetes
    )
    assert refused.returncode != 0
    assert "kubeProxyReplacement must be explicitly set to a valid value" in refused.stderr
