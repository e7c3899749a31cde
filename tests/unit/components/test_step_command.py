"""The pieces that components are made of: steps, Kubernetes objects, chart source, outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.cilium.cilium_release import chart_source
from components.ingress.gateway import gateway_manifest
from components.ingress.nginx import nginx_values, release_name
from components.ingress.service import namespace_manifest, service_manifest
from components.load_balancer.manifests import pools
from components.objects import type_token
from components.outputs import stack_outputs
from components.step_command import GRACE, Step, digest, run_step
from components.talos.talos_cluster import TalosClusterArgs
from model.cilium import Chart
from model.ingress import IngressChart
from steps.inputs import ApplyInputs, EtcdInputs, SecretsInputs
from tests.conftest import void
from tests.golden.documents import load
from tests.recording import Secret, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Cluster


VERSION = SecretsInputs(talos_version="v1.13.0")


def test_secrets_of_a_step_are_not_in_its_text() -> None:
    """Neither a traceback nor a log line shows them."""
    step = Step(inputs=EtcdInputs(control_planes=()), timeout=1, secrets={"talosconfig": "hunter2"})
    assert "hunter2" not in repr(step)


def test_imported_secrets_are_not_in_the_text_of_the_arguments(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    assert "hunter2" not in repr(TalosClusterArgs(cluster=make_cluster({}), secrets="hunter2"))


@pytest.mark.parametrize(("timeout", "seconds"), [(1.0, 1), (0.2, 1), (1.5, 2), (600.0, 600)])
def test_limits_are_whole_seconds_and_never_less_than_asked_for(timeout: float, seconds: int) -> None:
    """A limit of 200 ms becomes a second, not none."""
    step = Step(inputs=VERSION, timeout=timeout, again={"A": "b"})
    graph = record(lambda: void(run_step("x", step, pulumi.ResourceOptions())))
    assert graph["x"].inputs["environment"] == {
        "TALOS_VERSION": "v1.13.0",
        "A": "b",
        "STEP_TIMEOUT": str(seconds),
    }
    assert graph["x"].timeouts["create"] == f"{seconds + GRACE}s"


def test_a_step_without_secrets_gets_nothing_on_stdin() -> None:
    graph = record(lambda: void(run_step("x", Step(inputs=VERSION, timeout=1), pulumi.ResourceOptions())))
    assert "stdin" not in graph["x"].inputs


def test_a_step_gets_exactly_the_secrets_that_it_reads() -> None:
    with pytest.raises(TypeError, match=r"^step secrets reads the secrets \[\], not \['kubeconfig'\]$"):
        Step(inputs=VERSION, timeout=1, secrets={"kubeconfig": "x"})


def test_secrets_become_one_secret_json_object() -> None:
    apply = ApplyInputs(
        cluster_name="c",
        node="n",
        address="a",
        maintenance_address="m",
        apply_mode="auto",
        reachable_timeout=1,
    )
    step = Step(inputs=apply, timeout=1, secrets={"talosconfig": "2", "machineConfig": "1"})
    graph = record(lambda: void(run_step("x", step, pulumi.ResourceOptions())))
    assert graph["x"].inputs["stdin"] == Secret('{"talosconfig": "2", "machineConfig": "1"}')


def test_a_digest_is_short_and_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest([])) == 12


@pytest.mark.parametrize(
    ("api_version", "kind", "token"),
    [
        ("v1", "Service", "kubernetes:core/v1:Service"),
        ("cilium.io/v2", "CiliumLoadBalancerIPPool", "kubernetes:cilium.io/v2:CiliumLoadBalancerIPPool"),
        ("apps/v1", "Deployment", "kubernetes:apps/v1:Deployment"),
    ],
)
def test_objects_have_the_type_of_the_providers_own_classes(api_version: str, kind: str, token: str) -> None:
    assert type_token({"apiVersion": api_version, "kind": kind}) == token


@pytest.mark.parametrize(
    ("chart", "source"),
    [
        ({}, {"chart": "cilium", "repository_opts": {"repo": "https://helm.cilium.io/"}}),
        (
            {"repository": "https://charts.example.org"},
            {"chart": "cilium", "repository_opts": {"repo": "https://charts.example.org"}},
        ),
        ({"path": "charts/cilium"}, {"chart": "charts/cilium"}),
        (
            {"repository": "oci://quay.io/cilium/charts/cilium"},
            {"chart": "oci://quay.io/cilium/charts/cilium"},
        ),
        ({"repository": "oci://quay.io/cilium/charts/"}, {"chart": "oci://quay.io/cilium/charts/cilium"}),
    ],
)
def test_the_chart_comes_from_where_the_config_says(chart: dict[str, str], source: dict[str, Any]) -> None:
    assert chart_source(Chart(**chart)) == source


def test_the_service_asks_for_its_address(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    cluster = make_cluster(
        {"ingress": {"selector": {"b": "2", "a": "1"}, "externalTrafficPolicy": "Local", "name": "front"}}
    )
    assert service_manifest(cluster.ingress) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "front",
            "namespace": "ingress-nginx",
            "annotations": {"lbipam.cilium.io/ips": "10.0.50.200", "pulumi.com/skipAwait": "true"},
        },
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "selector": {"a": "1", "b": "2"},
            "ports": [
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"},
                {"name": "https", "port": 443, "protocol": "TCP", "targetPort": "https"},
            ],
        },
    }
    assert namespace_manifest(cluster.ingress)["metadata"] == {"name": "ingress-nginx"}


@pytest.mark.parametrize(
    ("chart", "source"),
    [
        (
            {},
            {
                "chart": "ingress-nginx",
                "repository_opts": {"repo": "https://kubernetes.github.io/ingress-nginx"},
            },
        ),
        ({"path": "charts/nginx.tgz"}, {"chart": "charts/nginx.tgz"}),
        ({"repository": "oci://h/ingress-nginx/"}, {"chart": "oci://h/ingress-nginx"}),
    ],
)
def test_the_chart_of_nginx_too(chart: dict[str, str], source: dict[str, Any]) -> None:
    assert chart_source(IngressChart(**chart), "ingress-nginx") == source


def test_nginx_asks_for_the_address_under_the_name_of_the_reservation() -> None:
    """The chart calls its Service after the release, with -controller."""
    ingress = load("nginx").ingress
    assert release_name(ingress) == "ingress-nginx"
    assert nginx_values(ingress) == {
        "fullnameOverride": "ingress-nginx",
        "controller": {
            "service": {
                "annotations": {"lbipam.cilium.io/ips": "10.0.50.200"},
                "externalTrafficPolicy": "Local",
            },
            "replicaCount": 2,
        },
    }


def test_a_gateway_has_the_address_and_routes_of_any_namespace() -> None:
    ingress = load("gateway").ingress
    routes = {"namespaces": {"from": "All"}}
    assert gateway_manifest(ingress)["spec"] == {
        "gatewayClassName": "cilium",
        "addresses": [{"type": "IPAddress", "value": "10.0.50.200"}],
        "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": routes},
            {
                "name": "https",
                "port": 443,
                "protocol": "HTTPS",
                "tls": {"mode": "Terminate", "certificateRefs": [{"name": "wildcard"}]},
                "allowedRoutes": routes,
            },
        ],
    }
    plain = gateway_manifest(ingress.model_copy(update={"tls_secret": None}))
    assert [listener["name"] for listener in plain["spec"]["listeners"]] == ["http"]


def test_the_reservation_fits_the_service_that_cilium_makes_for_a_gateway() -> None:
    """It is called after the Gateway, not like it."""
    reserved = pools(load("gateway"))[1]
    assert reserved["metadata"]["name"] == "cilium-gateway-lan.gateway"
    assert reserved["spec"]["serviceSelector"]["matchLabels"] == {
        "io.kubernetes.service.namespace": "gateway",
        "io.kubernetes.service.name": "cilium-gateway-lan",
    }


def test_nodes_in_the_lan_have_their_address_there() -> None:
    """Untagged, the address of the node is the one on the LAN."""
    cluster = load("untagged")
    assert stack_outputs(cluster)["nodes"][0] == {
        "name": "cp1",
        "role": "controlplane",
        "address": "10.0.50.11",
        "lanAddress": "10.0.50.11",
    }


def test_requested_addresses_are_listed_with_the_ingress_first() -> None:
    assert list(stack_outputs(load("reservations"))["requestedAddresses"].items()) == [
        ("ingress-nginx/ingress-nginx-controller", "10.0.50.200"),
        ("dns/resolver", "10.0.50.201"),
        ("media/stream", "10.0.50.207"),
    ]
    assert stack_outputs(load("without-ingress"))["requestedAddresses"] == {}
