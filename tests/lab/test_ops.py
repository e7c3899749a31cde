"""`ops verify` and `ops doctor` on the lab's cluster, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lab import engine, report
from lab.layout import REPOSITORY
from tests.lab.conftest import SUBNET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.conftest import Run

pytestmark = pytest.mark.lab
INGRESS = "ingress-nginx/ingress-nginx-controller"
NAMESPACE = "ops-test"
OWNER = "--field-manager=pulumi-kubernetes"
ADDRESS = "jsonpath={.status.loadBalancer.ingress[0].ip}"


@pytest.fixture(scope="module")
def client(lab: Run) -> report.Client:
    """Kubectl on the lab's cluster, which is made if it is not there."""
    return report.Client(lab.layout, lab.up().outputs["kubeconfig"].value)


@pytest.fixture
def namespace(client: report.Client) -> Iterator[str]:
    """A namespace for the Services of one test."""
    client.run("kubectl", "create", "namespace", NAMESPACE)
    yield NAMESPACE
    client.run("kubectl", "delete", "namespace", NAMESPACE, "--wait=true")


def ops(lab: Run, command: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command with config and credentials of the stack; return its status and its table."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ops", command, "--json", *arguments),
            *("--stack", "lab", "--project", lab.layout.project),
        ],
        cwd=REPOSITORY,
        env={**os.environ, **engine.environment(lab.layout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    table: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, table


def failures(table: dict[str, Any]) -> list[str]:
    return [f"{row['check']}: {row['evidence']}" for row in table["checks"] if row["verdict"] == "fail"]


def service(client: report.Client, name: str, annotations: dict[str, str] | None = None) -> None:
    """Create a LoadBalancer Service."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations or {}},
        "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80}]},
    }
    client.run("kubectl", "apply", "--filename=-", stdin=json.dumps(manifest))


def judged(client: report.Client, name: str) -> None:
    """Wait until Cilium has said something about the Service."""
    condition = "--for=condition=cilium.io/IPAMRequestSatisfied=false"
    client.run("kubectl", "wait", f"--namespace={NAMESPACE}", condition, f"service/{name}", "--timeout=60s")


def test_verify_passes_and_says_what_the_lab_cannot_show(lab: Run, client: report.Client) -> None:
    status, table = ops(lab, "verify", "--probe")
    assert (status, failures(table), table["passed"]) == (0, [], True)
    verdicts = {row["check"]: row["verdict"] for row in table["checks"]}
    assert verdicts["kube-proxy absent"] == verdicts["10.0.50.200 assigned"] == "pass"
    assert verdicts["w1 sits in 10.0.50.0/24"] == verdicts["w2 sits in 10.0.50.0/24"] == "pass"
    assert [check for check, verdict in verdicts.items() if verdict == "n/a"] == [
        "10.0.50.200 announced",
        "10.0.50.200 answers from here",
    ]


def test_verify_fails_when_a_pool_is_gone(lab: Run, client: report.Client) -> None:
    pools = report.CRDS[0]
    manifest = client.get(pools, "homelab")
    client.run("kubectl", "delete", pools, "homelab")
    try:
        status, table = ops(lab, "verify")
    finally:
        kept = {key: manifest[key] for key in ("apiVersion", "kind", "spec")}
        kept["metadata"] = {key: manifest["metadata"][key] for key in ("name", "annotations")}
        client.run("kubectl", "create", OWNER, "--filename=-", stdin=json.dumps(kept))
    assert status == 1
    assert failures(table) == ["pool homelab: does not exist"]


def test_doctor_finds_nothing_on_a_healthy_lab(lab: Run, client: report.Client) -> None:
    status, table = ops(lab, "doctor")
    assert (status, failures(table)) == (0, [])
    evidence = {row["check"]: row["evidence"] for row in table["checks"]}
    assert evidence["node cp1"] == f"127.0.{SUBNET}.11 is a node of this cluster"
    assert evidence["certificate of the talosconfig"].startswith("valid for 36")


def test_doctor_names_a_thief(lab: Run, client: report.Client, namespace: str) -> None:
    service(client, "thief", {"lbipam.cilium.io/ips": "10.0.50.200"})
    judged(client, "thief")
    status, table = ops(lab, "doctor")
    assert status == 1
    assert failures(table) == [
        f"Service {NAMESPACE}/thief has no address: 10.0.50.200 is held by {INGRESS}",
    ]


def test_doctor_says_that_an_address_is_outside(lab: Run, client: report.Client, namespace: str) -> None:
    service(client, "lost", {"lbipam.cilium.io/ips": "10.0.50.199"})
    judged(client, "lost")
    _, table = ops(lab, "doctor")
    assert failures(table) == [
        f"Service {NAMESPACE}/lost has no address: it asks for 10.0.50.199, which no pool may give away",
    ]


def test_doctor_says_that_two_services_cannot_share(lab: Run, client: report.Client, namespace: str) -> None:
    shared = {"lbipam.cilium.io/ips": "10.0.50.205", "lbipam.cilium.io/sharing-key": "k"}
    service(client, "one", shared)
    client.run(
        "kubectl", "wait", f"--namespace={NAMESPACE}", f"--for={ADDRESS}", "service/one", "--timeout=60s"
    )
    service(client, "two", shared)
    judged(client, "two")
    _, table = ops(lab, "doctor")
    assert failures(table) == [
        (
            f"Service {NAMESPACE}/two has no address: it cannot share 10.0.50.205 with {NAMESPACE}/one: "
            "both have port 80/TCP"
        )
    ]


def test_doctor_says_that_the_pool_is_full(lab: Run, client: report.Client, namespace: str) -> None:
    """Seven addresses are free for everybody; what others of them hold, these eight Services cannot have."""
    others = sum(_holds(item) for item in client.get("services", "--all-namespaces")["items"]) - 1
    names = [f"s{number}" for number in range(8)]
    for name in names:
        service(client, name)
    conditions = "--for=jsonpath={.status.conditions}"
    client.run(
        "kubectl", "wait", f"--namespace={NAMESPACE}", conditions, "services", "--all", "--timeout=60s"
    )
    _, table = ops(lab, "doctor")
    found = failures(table)
    assert len(found) == 8 - (7 - others)
    assert all(" has no address: no free address in homelab; in use by " in line for line in found)


def _holds(item: dict[str, Any]) -> bool:
    return bool(item.get("status", {}).get("loadBalancer", {}).get("ingress"))
