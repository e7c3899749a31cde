"""The pieces that components are made of: steps, Kubernetes objects, chart source, outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.cilium.release import chart_source
from components.commands import GRACE, Step, digest, run_step
from components.ingress import namespace_manifest, service_manifest
from components.objects import type_token
from components.outputs import stack_outputs
from components.talos.cluster import TalosClusterArgs
from model.cilium import Chart
from tests.conftest import void
from tests.golden.documents import load
from tests.recording import Secret, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Cluster


def test_secrets_of_a_step_are_not_in_its_text() -> None:
    """Neither a traceback nor a log line shows them."""
    step = Step(name="x", timeout=1, environment={}, secrets={"key": "hunter2"})
    assert "hunter2" not in repr(step)


def test_imported_secrets_are_not_in_the_text_of_the_arguments(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    assert "hunter2" not in repr(TalosClusterArgs(cluster=make_cluster({}), secrets="hunter2"))


@pytest.mark.parametrize(("timeout", "seconds"), [(1.0, 1), (0.2, 1), (1.5, 2), (600.0, 600)])
def test_limits_are_whole_seconds_and_never_less_than_asked_for(timeout: float, seconds: int) -> None:
    """A limit of 200 ms becomes a second, not none."""
    step = Step(name="x", timeout=timeout, environment={"A": "b"})
    graph = record(lambda: void(run_step("x", step, pulumi.ResourceOptions())))
    assert graph["x"].inputs["environment"] == {"A": "b", "STEP_TIMEOUT": str(seconds)}
    assert graph["x"].timeouts["create"] == f"{seconds + GRACE}s"


def test_a_step_without_secrets_gets_nothing_on_stdin() -> None:
    graph = record(
        lambda: void(run_step("x", Step(name="x", timeout=1, environment={}), pulumi.ResourceOptions()))
    )
    assert "stdin" not in graph["x"].inputs


def test_secrets_become_one_secret_json_object() -> None:
    step = Step(name="x", timeout=1, environment={}, secrets={"b": "2", "a": "1"})
    graph = record(lambda: void(run_step("x", step, pulumi.ResourceOptions())))
    assert graph["x"].inputs["stdin"] == Secret('{"b": "2", "a": "1"}')


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
