"""Addresses on a running lab: who may have which, and what a change may not take away."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pulumi import automation

from lab import report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.conftest import Run

pytestmark = pytest.mark.lab
NAMESPACE = "lab-addresses"
KEY = "homelab:cluster"


@pytest.fixture(scope="module")
def client(lab: Run) -> report.Client:
    """Kubectl with the kubeconfig of the stack; the stack is made if no test before has."""
    outputs = lab.stack.outputs() or {}
    if "kubeconfig" not in outputs:
        outputs = lab.up().outputs
    made = report.Client(lab.layout, outputs["kubeconfig"].value)
    made.run("kubectl", "apply", "--filename=-", stdin=report.DEMO)
    made.run("kubectl", "apply", "--filename=-", stdin=json.dumps(namespace()))
    return made


@contextmanager
def config(lab: Run, **changes: Any) -> Iterator[None]:  # noqa: ANN401 - any config
    """Change keys of sections of the stack file, `section__key=value`; put the file back."""
    before = lab.layout.stack_file.read_text()
    document = deepcopy(yaml.safe_load(before))
    for path, value in changes.items():
        section, key = path.split("__")
        document["config"][KEY][section][key] = value
    lab.layout.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    try:
        yield
    finally:
        lab.layout.stack_file.write_text(before)


def namespace() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def create(client: report.Client, name: str, **annotations: str) -> None:
    """Create a LoadBalancer Service."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
        "spec": {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80}]},
    }
    client.run("kubectl", "apply", "--filename=-", stdin=json.dumps(manifest))


def ask(lab: Run, client: report.Client, service: str, address: str, seconds: int) -> tuple[int, str]:
    """Return how the program's own gate ends for a Service."""
    done = subprocess.run(
        [sys.executable, "-IS", "steps", "address-assigned"],
        cwd=lab.layout.project,
        env={**os.environ, "SERVICE": service, "ADDRESS": address, "STEP_TIMEOUT": str(seconds)},
        input=json.dumps({"kubeconfig": client.kubeconfig}),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def planned(lab: Run, name: str) -> tuple[str, str]:
    """Return the first line of POOLS before and after, as a preview shows it: readable, no secret."""
    events: list[automation.EngineEvent] = []
    lab.stack.preview(on_event=events.append)
    steps = [event.resource_pre_event.metadata for event in events if event.resource_pre_event]
    step = next(step for step in steps if step.urn.endswith(f"::{name}"))
    assert step.op.value == "update"
    assert step.old is not None
    assert step.new is not None
    old, new = (dict(state.inputs or {})["environment"]["POOLS"] for state in (step.old, step.new))
    return old.splitlines()[0], new.splitlines()[0]


def refused(lab: Run) -> str:
    """Return everything that a run said which must fail."""
    seen = len(lab.output)
    with pytest.raises(automation.CommandError):
        lab.up()
    return "".join(lab.output[seen:])


def pools(client: report.Client) -> dict[str, tuple[list[str], str | None]]:
    """Return blocks and conflict of each pool."""
    return {
        pool["metadata"]["name"]: (
            [f"{block['start']}-{block['stop']}" for block in pool["spec"]["blocks"]],
            report.condition(pool, "cilium.io/PoolConflict"),
        )
        for pool in client.get(report.CRDS[0])["items"]
    }


def test_a_thief_of_the_requested_address_is_refused(lab: Run, client: report.Client) -> None:
    """It asks for 10.0.50.200 in its own annotation, and gets nothing at all."""
    create(client, "thief", **{"lbipam.cilium.io/ips": "10.0.50.200"})
    status, said = ask(lab, client, f"{NAMESPACE}/thief", "10.0.50.200", 5)
    assert status == 1
    assert "it holds none; Cilium says pool_selector_mismatch" in said
    assert "no pool with this address has a serviceSelector that matches the Service" in said
    assert "10.0.50.200 is held by Service ingress-nginx/ingress-nginx-controller" in said
    assert report.address(client, *report.INGRESS) == "10.0.50.200"
    client.run("kubectl", "delete", "service", "thief", f"--namespace={NAMESPACE}")


def test_eight_services_fit_and_the_ninth_is_told_that_the_pool_is_full(
    lab: Run, client: report.Client
) -> None:
    for number in range(202, 208):
        create(client, f"s{number}")
        status, said = ask(lab, client, f"{NAMESPACE}/s{number}", f"10.0.50.{number}", 30)
        assert (status, said.splitlines()[-1]) == (0, f"{NAMESPACE}/s{number} holds 10.0.50.{number}")
    create(client, "ninth")
    status, said = ask(lab, client, f"{NAMESPACE}/ninth", "10.0.50.207", 5)
    assert status == 1
    assert "it holds none; Cilium says out_of_ips: the pool has no free address" in said
    assert f"10.0.50.207 is held by Service {NAMESPACE}/s207" in said
    client.run("kubectl", "delete", "service", "ninth", f"--namespace={NAMESPACE}")


def test_a_smaller_pool_is_shown_as_text_and_refused_while_services_use_the_rest(
    lab: Run, client: report.Client
) -> None:
    before = pools(client)
    with config(lab, loadBalancer__cidr="10.0.50.200/30"):
        assert planned(lab, "load-balancer-addresses") == (
            "homelab: 10.0.50.201-10.0.50.207",
            "homelab: 10.0.50.201-10.0.50.203",
        )
        said = refused(lab)
    assert "this change takes addresses away from Services that use them; no pool has been changed" in said
    for number in range(204, 208):
        line = f"{NAMESPACE}/s{number} would lose 10.0.50.{number}: no pool has it any more"
        assert line in said
    assert f"{NAMESPACE}/s203 would lose" not in said
    assert "if this is meant, set loadBalancer.acknowledge: '" in said
    assert pools(client) == before


def test_the_acknowledgement_code_lets_the_change_through(lab: Run, client: report.Client) -> None:
    """And more addresses afterwards need no acknowledgement code."""
    with config(lab, loadBalancer__cidr="10.0.50.200/30"):
        found = re.search(r"acknowledge: '([0-9a-f]{8})'", refused(lab))
    assert found is not None
    with config(lab, loadBalancer__cidr="10.0.50.200/30", loadBalancer__acknowledge=found[1]):
        lab.up()
    assert pools(client)["homelab"] == (["10.0.50.201-10.0.50.203"], "False")
    assert report.address(client, NAMESPACE, "s203") == "10.0.50.203"
    assert report.address(client, *report.INGRESS) == "10.0.50.200"
    client.run("kubectl", "delete", "services", "--all", f"--namespace={NAMESPACE}")
    lab.up()
    assert pools(client)["homelab"] == (["10.0.50.201-10.0.50.207"], "False")


def test_a_reservation_comes_and_goes_without_a_conflict_that_stays(lab: Run, client: report.Client) -> None:
    """When it goes, its pool is deleted at the end of the run: until then both have the address."""
    resolver = {"namespace": "dns", "name": "resolver", "address": "10.0.50.204"}
    with config(lab, loadBalancer__reservations=[resolver]):
        lab.up()
        assert pools(client)["resolver.dns"] == (["10.0.50.204-10.0.50.204"], "False")
        assert pools(client)["homelab"][0] == ["10.0.50.201-10.0.50.203", "10.0.50.205-10.0.50.207"]
    lab.up()
    assert "resolver.dns" not in pools(client)
    assert pools(client)["homelab"][0] == ["10.0.50.201-10.0.50.207"]
    status, said = ask(lab, client, "/".join(report.OTHER), "10.0.50.201", 10)
    assert (status, "whoami holds 10.0.50.201" in said) == (0, True)


def test_another_range_for_pods_is_refused_before_anything_is_touched(lab: Run) -> None:
    seen = len(lab.events)
    with config(lab, network__podCidr="10.128.0.0/16"):
        said = refused(lab)
    assert "network.podCidr is 10.244.0.0/16 and cannot become 10.128.0.0/16" in said
    done = {
        event.res_outputs_event.metadata.urn.rpartition("::")[2]
        for event in lab.events[seen:]
        if event.res_outputs_event and event.res_outputs_event.metadata.op.value != "same"
    }
    assert [name for name in done if "apply" in name or name.startswith(("cilium", "load-balancer"))] == []


def test_afterwards_nothing_is_left_to_do(lab: Run) -> None:
    assert set(lab.changes(lab.up())) == {"same"}
