"""Talos's own parser accepts the machine config of every valid stack, made as the engine would make it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.talos.step_inputs import machine_config_inputs
from lab.tools import ensure
from model.versions import TALOS, minor
from tests.cases.stack_cases import ROOT, valid
from tests.golden.documents import MACHINE_CONFIG, ends, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VALID = tuple(sorted(valid()))
OTHER_MINOR = ("older-releases",)
"""Stacks of another Talos minor: a step refuses to generate with a talosctl of another one."""


@dataclass(frozen=True)
class TalosctlRun:
    """The real talosctl and a secrets bundle that only these tests have seen."""

    tools: Path
    secrets: str = field(repr=False)

    def run(self, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run the step `machine-config`."""
        return run_step(self.tools, "machine-config", environment, {"secrets": self.secrets})

    def accepted(self, environment: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the documents of a machine config after `talosctl validate --mode metal --strict`."""
        done = self.run(environment)
        assert done.returncode == 0, done.stderr
        return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="session")
def talos() -> TalosctlRun:
    """The tool, found or built, and new secrets."""
    tools = ensure(["talosctl"])["talosctl"].parent
    made = run_step(tools, "secrets", {"TALOS_VERSION": TALOS}, {})
    assert made.returncode == 0, made.stderr
    return TalosctlRun(tools, made.stdout)


def run_step(
    tools: Path, step: str, environment: Mapping[str, str], secrets: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a step as the command provider does: plain data in the environment, secrets on stdin."""
    return subprocess.run(
        [sys.executable, "-IS", "steps", step],
        cwd=ROOT,
        env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "STEP_TIMEOUT": "120", **environment},
        input=json.dumps(secrets),
        text=True,
        capture_output=True,
        check=False,
    )


def test_only_stacks_of_another_talos_minor_are_left_out() -> None:
    found = tuple(name for name in VALID if minor(load(name).versions.talos) != (1, 13))
    assert found == OTHER_MINOR


@pytest.mark.parametrize("stack", [name for name in VALID if name not in OTHER_MINOR])
def test_talos_accepts_every_valid_stack(talos: TalosctlRun, stack: str) -> None:
    """The first control plane and the last worker: between them they have every kind of document."""
    cluster = load(stack)
    for node in ends(cluster):
        documents = talos.accepted(machine_config_inputs(cluster, node).environment())
        assert documents[0]["machine"]["type"] == node.role
        hostname = next(document for document in documents if document.get("kind") == "HostnameConfig")
        assert hostname == {
            "apiVersion": "v1alpha1",
            "kind": "HostnameConfig",
            "auto": "off",
            "hostname": node.name,
        }


@pytest.mark.parametrize("stack", MACHINE_CONFIG)
def test_the_result_has_no_cni_and_no_kube_proxy(talos: TalosctlRun, stack: str) -> None:
    """Patches over the generated config really end in what Cilium needs."""
    cluster = load(stack)
    for node in ends(cluster):
        config = talos.accepted(machine_config_inputs(cluster, node).environment())[0]
        assert config["cluster"]["network"]["cni"] == {"name": "none"}
        assert config["cluster"]["proxy"]["disabled"] is True
        assert config["cluster"]["network"]["podSubnets"] == ["10.244.0.0/16"]
        assert config["cluster"]["network"]["serviceSubnets"] == ["10.96.0.0/12"]
        assert config["machine"]["features"]["kubePrism"] == {"enabled": True, "port": 7445}


def test_a_disk_selector_is_not_beside_a_default_disk(talos: TalosctlRun) -> None:
    """`talosctl gen config` writes /dev/sda unless told otherwise."""
    cluster = load("disk-by-selector")
    node = next(node for node in cluster.nodes if node.disk_selector)
    install = talos.accepted(machine_config_inputs(cluster, node).environment())[0]["machine"]["install"]
    assert install["diskSelector"] == node.disk_selector
    assert install.get("disk", "") == ""


def test_two_runs_make_the_same_machine_config(talos: TalosctlRun) -> None:
    """Else every preview would touch every node."""
    cluster = load("tagged")
    environment = machine_config_inputs(cluster, cluster.control_planes[0]).environment()
    first = talos.run(environment)
    assert first.returncode == 0, first.stderr
    again = talos.run(environment)
    assert again.stdout == first.stdout


def test_talos_refuses_what_is_no_machine_config(talos: TalosctlRun) -> None:
    """The check can fail: a hostname beside the automatic one is refused in Talos's own words."""
    cluster = load("untagged")
    environment = machine_config_inputs(cluster, cluster.control_planes[0]).environment()
    environment["PATCH_1"] = "machine: {network: {hostname: other}}"
    result = talos.run(environment)
    assert result.returncode == 1
    assert "static hostname is already set" in result.stderr
