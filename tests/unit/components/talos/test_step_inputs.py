"""What the Talos steps are told, where the whole graph does not show it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import config
from components.talos import step_inputs
from tests.cases.stack_cases import valid

MAC = "52:54:00:00:50:11"


def machines(base: str, **changes: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - a YAML document
    """Return what the preflight looks for, by node, after changes of the first node."""
    document: dict[str, Any] = valid()[base].cluster()
    document["nodes"][0] |= changes
    step = step_inputs.preflight(config.parse(json.dumps(document)), "talosconfig")
    lines = [json.loads(line) for line in step.inputs.environment()["MACHINES"].splitlines()]
    return {line["name"]: line for line in lines}


def test_a_machine_is_looked_for_by_what_the_stack_says() -> None:
    assert machines("untagged", maintenanceAddress="10.0.50.111")["cp1"] == {
        "name": "cp1",
        "address": "10.0.50.11",
        "maintenance_address": "10.0.50.111",
        "card": "eno1",
        "mac": "",
        "disk": "/dev/nvme0n1",
        "selector": {},
    }


def test_by_mac_address_and_selector() -> None:
    found = machines("tagged", interface={"mac": MAC}, disk=None, diskSelector={"type": "nvme"})["cp1"]
    assert (found["card"], found["disk"], found["selector"]) == ("", "", {"type": "nvme"})
    assert found["mac"] == MAC
    assert found["maintenance_address"] == found["address"]


@pytest.mark.parametrize(
    ("patch", "card"),
    [
        ({"apiVersion": "v1alpha1", "kind": "BondConfig", "name": "eno1", "links": ["enp1s0"]}, ""),
        ({"apiVersion": "v1alpha1", "kind": "LinkConfig", "name": "eno1", "mtu": 9000}, "eno1"),
        ({"machine": {"sysctls": {"vm.swappiness": "1"}}}, "eno1"),
    ],
    ids=["a bond", "its own link", "no link"],
)
def test_a_link_that_a_patch_makes_is_no_hardware(patch: dict[str, Any], card: str) -> None:
    assert machines("untagged", patches=[patch])["cp1"]["card"] == card


def test_a_worker_has_the_patches_of_its_role() -> None:
    document = valid()["untagged"].cluster()
    bond = {"apiVersion": "v1alpha1", "kind": "BondConfig", "name": "eno1", "links": ["enp1s0"]}
    document["talos"] = {"patches": {"worker": [bond]}}
    cluster = config.parse(json.dumps(document))
    cards = {node.name: step_inputs.machine(cluster, node)["card"] for node in cluster.nodes}
    assert (cards["cp1"], cards["w1"]) == ("eno1", "")


def test_first_contact_of_one_node() -> None:
    document = valid()["first-contact"].cluster()
    cluster = config.parse(json.dumps(document))
    told = [
        step_inputs.apply(cluster, node, "config", "talosconfig").inputs.environment()
        for node in cluster.control_planes
    ]
    assert [(one.get("FINGERPRINT", "")[:4], one.get("REINSTALL")) for one in told] == [
        ("47DE", "cp1"),
        ("", None),
        ("", None),
    ]
    assert step_inputs.preflight(cluster, "t").inputs.environment()["REINSTALL"] == "cp1 w1"
