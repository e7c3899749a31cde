"""Changes of a running cluster: what must not happen, and nodes that change and leave, one at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pulumi import automation

from lab import report
from lab.control import status
from tests.lab.conftest import fresh_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.conftest import Run

pytestmark = pytest.mark.lab
SUBNET = "25"
TURNS = ["w1 reboots", "w1 works with its configuration", "w2 reboots", "w2 works with its configuration"]
NODES = ["cp1", "cp2", "cp3", "w1", "w2"]


@pytest.fixture(scope="module")
def running() -> Iterator[Run]:
    """A lab whose stack is up; the tests change it in their order."""
    with fresh_lab(SUBNET) as run:
        run.up()
        yield run


@pytest.fixture
def client(running: Run) -> report.Client:
    """Kubectl on that cluster."""
    return report.Client(running.layout, running.stack.outputs()["kubeconfig"].value)


def edit(run: Run, change: Callable[[dict[str, Any]], object]) -> str:
    """Change `homelab:cluster` of the stack file; return what the file was."""
    before = run.layout.stack_file.read_text()
    document = yaml.safe_load(before)
    change(document["config"]["homelab:cluster"])
    run.layout.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    return before


def refused(run: Run, change: Callable[[dict[str, Any]], object]) -> str:
    """Return what `pulumi up` says about a change that it refuses; the stack file is as before then."""
    seen = len(run.output)
    before = edit(run, change)
    try:
        with pytest.raises(automation.CommandError):
            run.up()
    finally:
        run.layout.stack_file.write_text(before)
    return "\n".join(run.output[seen:])


def machines(run: Run) -> dict[str, str]:
    """Return the stage of each machine."""
    return {machine["id"]: machine["stage"] for machine in status(run.layout)["machines"]}


def node_names(client: report.Client) -> list[str]:
    """Return the names of the Nodes."""
    found = json.loads(client.run("kubectl", "get", "nodes", "--output=json"))
    return sorted(item["metadata"]["name"] for item in found["items"])


def without(name: str) -> Callable[[dict[str, Any]], object]:
    """Return the change that takes a node out of the stack file."""

    def change(cluster: dict[str, Any]) -> None:
        cluster["nodes"] = [node for node in cluster["nodes"] if node["name"] != name]

    return change


def test_resets_switched_off_wipe_nothing(running: Run) -> None:
    edit(running, lambda cluster: cluster["talos"].update(resetOnDestroy=False))
    result = running.up()
    assert running.changes(result).get("delete", 0) == 0
    assert machines(running) == dict.fromkeys(NODES, "running")


def test_a_renamed_node_is_refused_and_nothing_moves(running: Run, client: report.Client) -> None:
    said = refused(running, lambda cluster: cluster["nodes"][4].update(name="w9"))
    assert "w9 has the address of w2" in said
    assert "a node cannot be renamed in place" in said
    assert node_names(client) == NODES
    assert machines(running) == dict.fromkeys(NODES, "running")


@pytest.mark.parametrize(("kind", "version"), [("talos", "v1.13.2"), ("kubernetes", "v1.35.0")])
def test_a_change_of_versions_is_refused(running: Run, kind: str, version: str) -> None:
    said = refused(running, lambda cluster: cluster.setdefault("versions", {}).update({kind: version}))
    assert f"versions.{kind} cannot change from" in said
    assert f"to {version} by `pulumi up`" in said


def test_a_refused_change_leaves_a_stack_that_goes_on(running: Run) -> None:
    running.up()
    assert set(running.changes(running.up())) == {"same"}


def test_a_change_of_one_node_touches_that_node_only(running: Run) -> None:
    seen = len(running.output)

    def patch(cluster: dict[str, Any]) -> None:
        cluster["nodes"][3].setdefault("labels", {})["zone"] = "a"

    edit(running, patch)
    running.up()
    plan = [line for line in running.output[seen:] if "gets its new configuration" in line]
    assert len(plan) == 1
    assert "w1 (worker," in plan[0]


def test_a_reboot_is_over_when_kubernetes_says_so_too(running: Run, client: report.Client) -> None:
    """Refused live; with `auto` the second worker waits for the kubelet of the first."""
    before = boots(client)

    def patch(cluster: dict[str, Any]) -> None:
        cluster["talos"]["applyMode"] = "auto"
        cluster["talos"]["patches"] = {"worker": [{"machine": {"udev": {"rules": ["# none"]}}}]}

    seen = len(running.output)
    edit(running, patch)
    running.up()
    after = boots(client)
    assert {name for name in NODES if after[name] != before[name]} == {"w1", "w2"}
    said = [turn for line in running.output[seen:] for turn in TURNS if line.rstrip().endswith(turn)]
    assert list(dict.fromkeys(said)) == TURNS  # the engine says everything twice


def boots(client: report.Client) -> dict[str, str]:
    """Return which boot the kubelet of each Node has reported."""
    found = json.loads(client.run("kubectl", "get", "nodes", "--output=json"))
    return {item["metadata"]["name"]: item["status"]["nodeInfo"]["bootID"] for item in found["items"]}


def test_a_removed_worker_leaves_and_is_not_wiped(running: Run, client: report.Client) -> None:
    edit(running, without("w2"))
    running.up()
    assert node_names(client) == ["cp1", "cp2", "cp3", "w1"]
    assert machines(running)["w2"] not in {"running", "maintenance"}


def test_a_removed_control_plane_leaves_etcd_first_and_is_wiped_if_asked(
    running: Run, client: report.Client
) -> None:
    edit(running, lambda cluster: cluster["talos"].update(resetOnDestroy=True))
    edit(running, without("cp3"))
    running.up()
    assert node_names(client) == ["cp1", "cp2", "w1"]
    assert machines(running)["cp3"] != "running"
    assert set(running.changes(running.up())) == {"same"}
