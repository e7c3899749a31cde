"""The main job on a fresh lab: up, up again, a change, up. The order of the tests matters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from lab import report
from ops.table import Verdict

if TYPE_CHECKING:
    from pulumi import automation

    from tests.lab.conftest import Run

pytestmark = pytest.mark.lab
REQUESTED = "10.0.50.200"


@pytest.fixture(scope="module")
def first(lab: Run) -> automation.UpResult:
    """The first `pulumi up`, from maintenance mode."""
    return lab.up()


@pytest.fixture(scope="module")
def client(lab: Run, first: automation.UpResult) -> report.Client:
    """Kubectl and helm with the kubeconfig of the stack outputs."""
    return report.Client(lab.layout, first.outputs["kubeconfig"].value)


def test_one_up_takes_nodes_from_maintenance_mode_to_an_assigned_address(
    lab: Run, first: automation.UpResult, client: report.Client
) -> None:
    """Every claim that `make lab` prints holds."""
    assert set(lab.changes(first)) == {"create"}
    rows = {row.check: row for row in report.rows(lab.layout, first.outputs)}
    assert [row for row in rows.values() if row.verdict is Verdict.FAIL] == []
    assert rows["nodes Ready"].evidence == "5 of 5"
    assert rows[f"{REQUESTED} assigned"].evidence == "Service ingress-nginx/ingress-nginx-controller holds it"
    releases = json.loads(client.run("helm", "list", "--namespace=kube-system", "--output=json"))
    assert [(release["name"], release["status"]) for release in releases] == [("cilium", "deployed")]


def test_outputs_are_complete_and_credentials_are_secret(first: automation.UpResult) -> None:
    outputs = first.outputs
    assert sorted(outputs) == [
        "endpoint",
        "kubeconfig",
        "nodes",
        "pool",
        "requestedAddresses",
        "talosconfig",
        "versions",
    ]
    assert sorted(name for name, output in outputs.items() if output.secret) == ["kubeconfig", "talosconfig"]
    assert outputs["endpoint"].value == "https://127.0.20.10:6443"
    assert [node["name"] for node in outputs["nodes"].value] == ["cp1", "cp2", "cp3", "w1", "w2"]
    assert outputs["requestedAddresses"].value == {"ingress-nginx/ingress-nginx-controller": REQUESTED}


def test_the_other_service_did_not_take_the_requested_address(client: report.Client) -> None:
    """It got the lowest address of the general pool."""
    assert report.address(client, *report.OTHER) == "10.0.50.201"


def test_talosctl_works_with_the_talosconfig_of_the_outputs(lab: Run, first: automation.UpResult) -> None:
    """Its endpoints are the control planes, so no flag is needed."""
    talosconfig = yaml.safe_load(first.outputs["talosconfig"].value)
    context = talosconfig["contexts"][talosconfig["context"]]
    assert context["endpoints"] == ["127.0.20.11", "127.0.20.12", "127.0.20.13"]


def test_up_again_changes_nothing(lab: Run, first: automation.UpResult) -> None:
    result = lab.up()
    assert set(lab.changes(result)) == {"same"}


def test_a_change_updates_what_depends_on_it_and_no_more(lab: Run, client: report.Client) -> None:
    """Hubble on: the release and the gates behind it; no node is touched."""
    document = yaml.safe_load(lab.layout.stack_file.read_text())
    document["config"]["homelab:cluster"].setdefault("cilium", {})["hubble"] = {"enabled": True}
    lab.layout.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    seen = len(lab.events)
    result = lab.up()
    touched = {
        event.resource_pre_event.metadata.urn.rpartition("::")[2]
        for event in lab.events[seen:]
        if event.resource_pre_event and event.resource_pre_event.metadata.op.value != "same"
    }
    assert "create" not in lab.changes(result)
    assert "delete" not in lab.changes(result)
    assert not [
        name for name in touched if "apply" in name or "machine-config" in name or "bootstrap" in name
    ]
    values = json.loads(
        client.run("helm", "get", "values", "cilium", "--namespace=kube-system", "--output=json")
    )
    assert values["hubble"]["enabled"] is True
    assert report.address(client, *report.INGRESS) == REQUESTED


def test_up_after_the_change_changes_nothing(lab: Run) -> None:
    result = lab.up()
    assert set(lab.changes(result)) == {"same"}
