"""Pools go from Pulumi to Flux and back while a watch sees that no Service ever loses its address.

One procedure, so the order of the tests matters: it is that of docs/flux.md.
"""

from __future__ import annotations

import gc
import shlex
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pulumi.automation import CommandError

from clients.kubernetes.api import open_patient
from lab import commands, project, report, simulator
from lab.layout import REPOSITORY, Layout
from ops import observe, owners, sources
from ops.table import Verdict
from tests.lab import flux as flux_controller
from tests.lab.conftest import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ops.facts import Seen

pytestmark = pytest.mark.lab
REQUESTED, OTHER = "10.0.50.200", "10.0.50.201"
FILE = "cilium-ip-pool.yaml"
EMPTY = {"note.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, namespace: flux-system}\n"}
POOLS = "ciliumloadbalancerippools"
OWN = ("general pool", "pool of the ingress", "policy", "gate before the pools", "gate behind them")


@dataclass
class Handover:
    """A lab, its cluster, Flux in it, and what was seen of Services and pools from the start."""

    run: Run
    client: report.Client
    kubeconfig: Path
    flux: flux_controller.Flux
    services: flux_controller.Watch
    pools: flux_controller.Watch

    def change(self, **load_balancer: Any) -> None:  # noqa: ANN401 - any JSON
        """Change `loadBalancer` in the stack file."""
        path = self.run.layout.stack_file
        document = yaml.safe_load(path.read_text())
        document["config"]["homelab:cluster"]["loadBalancer"] |= load_balancer
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def ops(self, command: str, *arguments: str) -> str:
        """Return what a command of ops prints."""
        done = subprocess.run(
            [sys.executable, "-m", "ops", command, f"--config={self.run.layout.stack_file}", *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def rendered(self) -> str:
        """Return the file that `ops render` writes."""
        target = self.run.layout.state / FILE
        self.ops("render", f"--pool={target}")
        return target.read_text()

    def seen(self) -> Seen:
        """Return one look at the cluster."""
        return observe.gather(open_patient(self.client.kubeconfig))

    def managers(self) -> list[set[str]]:
        """Return who of the two holds fields of the pools and the policy, by the start of their names."""
        seen = self.seen()
        held = [item.fields for item in seen.pools] + [item.fields for item in seen.policies]
        names = ("pulumi-kubernetes", "kustomize-controller")
        return [
            {name for name in names for entry in fields if entry.manager.startswith(name)} for fields in held
        ]

    def clear(self) -> None:
        """Run what `ops owners --clear` prints."""
        for line in self.ops("owners", "--clear", f"--kubeconfig={self.kubeconfig}").splitlines():
            program, *arguments = shlex.split(line)
            self.client.run(program, *arguments)

    def strangers(self) -> list[str]:
        """Return what `ops doctor` says about owners that should not be there."""
        cluster = sources.cluster(sources.Place(project=REPOSITORY, config=self.run.layout.stack_file))
        rows = owners.rows(self.seen(), cluster.load_balancer.owner)
        return [row.evidence for row in rows if row.verdict is Verdict.FAIL]

    def mark(self, text: str) -> None:
        """Mark Services and pools and wait until both watches have seen it."""
        for kind, name, namespace in (
            ("service", "ingress-nginx-controller", "ingress-nginx"),
            (POOLS, "homelab", "default"),
        ):
            arguments = (kind, name, f"--namespace={namespace}", "--overwrite", f"test/mark={text}")
            self.client.run("kubectl", "annotate", *arguments)
        self.services.wait_for_mark(text)
        self.pools.wait_for_mark(text)

    def lost(self) -> list[str]:
        """Return every moment at which a Service had no address, another one, or a pool was deleted."""
        expected = {"ingress-nginx-controller": REQUESTED, "whoami": OTHER}
        services = [
            f"{event} {item['metadata']['name']}: {item.get('status')}"
            for event, item in self.services.objects("Service")
            if item["metadata"]["name"] in expected and _address(item) != expected[item["metadata"]["name"]]
        ]
        deleted = [
            f"{event} {item['metadata']['name']}"
            for event, item in self.pools.objects("CiliumLoadBalancerIPPool")
            if event == "DELETED"
        ]
        return services + deleted


def _address(service: dict[str, Any]) -> str | None:
    found = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    address: str | None = found[0].get("ip")
    return address


def refusal(run: Callable[[], object]) -> str:
    """Return the words with which the engine refuses.

    After a refused run the Automation API leaves its event loop to the garbage collector, which would
    complain in whatever test runs then.
    """
    words = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            run()
        except CommandError as error:
            words = str(error)
        gc.collect()
    return words


@pytest.fixture(scope="module")
def handover() -> Iterator[Handover]:
    """A small lab of its own, its pools protected, with the controller running in it."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        patch.setenv("LAB_SUBNET", "27")
        patch.setenv("LAB_NODES", "1+1")
        layout = Layout(Path(scratch) / "state")
        run = Run(layout, Path(scratch), commands.prepare(layout))
        document = yaml.safe_load(layout.stack_file.read_text())
        document["config"]["homelab:cluster"]["talos"] = {"protect": True}
        layout.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        try:
            yield from _with_flux(run, Path(scratch))
        finally:
            simulator.stop(layout)


def _with_flux(run: Run, scratch: Path) -> Iterator[Handover]:
    kubeconfig = scratch / "access"
    outputs = run.up().outputs
    client = report.Client(run.layout, outputs["kubeconfig"].value)
    project.write_private(kubeconfig, client.kubeconfig)
    assert [row for row in report.rows(run.layout, outputs) if row.verdict is Verdict.FAIL] == []
    kubectl = run.layout.tools / "kubectl"
    with (
        flux_controller.running(client, kubeconfig, scratch) as controller,
        flux_controller.watching(kubectl, kubeconfig, "services", "--all-namespaces") as services,
        flux_controller.watching(kubectl, kubeconfig, POOLS) as pools,
    ):
        yield Handover(run, client, kubeconfig, controller, services, pools)


def test_at_first_pulumi_alone_owns_the_pools(handover: Handover) -> None:
    handover.mark("begin")
    assert handover.managers() == [{"pulumi-kubernetes"}] * 3
    assert handover.strangers() == []


def test_a_switch_without_a_handover_is_refused_by_the_preview(handover: Handover) -> None:
    handover.change(owner="flux")
    assert "protected" in refusal(handover.run.stack.preview)


def test_during_the_handover_both_own_the_same(handover: Handover) -> None:
    handover.change(owner="handover")
    changes = handover.run.changes(handover.run.up())
    assert set(changes) <= {"same", "update"}, changes
    handover.flux.publish({FILE: handover.rendered()})
    assert len(handover.flux.inventory()) == 3
    assert handover.managers() == [{"kustomize-controller", "pulumi-kubernetes"}] * 3


def test_pulumi_lets_go_and_the_pools_stay(handover: Handover) -> None:
    before = {item["metadata"]["uid"] for item in handover.client.get(POOLS)["items"]}
    handover.change(owner="flux")
    changes = handover.run.changes(handover.run.up())
    assert changes["delete"] == len(OWN), changes
    assert {item["metadata"]["uid"] for item in handover.client.get(POOLS)["items"]} == before
    assert set(handover.strangers()) == {
        "loadBalancer.owner is flux, but pulumi-kubernetes holds fields of it"
    }


def test_the_former_owner_is_cleared(handover: Handover) -> None:
    handover.clear()
    assert handover.managers() == [{"kustomize-controller"}] * 3
    assert handover.strangers() == []


def test_flux_changes_a_pool_alone(handover: Handover) -> None:
    """And puts it back, because only equal objects can be handed over."""
    text = handover.rendered()
    handover.flux.publish({FILE: text.replace("stop: 10.0.50.207", "stop: 10.0.50.206")})
    assert handover.client.get(POOLS, "homelab")["spec"]["blocks"][0]["stop"] == "10.0.50.206"
    handover.flux.publish({FILE: text})


def test_two_owners_are_refused(handover: Handover) -> None:
    handover.change(owner="pulumi")
    assert "already exists" in refusal(handover.run.up)


def test_pulumi_takes_the_pools_back_as_they_are(handover: Handover) -> None:
    handover.change(owner="handover")
    changes = handover.run.changes(handover.run.up())
    assert changes["create"] >= 3, changes
    assert "delete" not in changes
    assert [len(managers) for managers in handover.managers()] == [2, 2, 2]


def test_flux_lets_go_and_deletes_nothing(handover: Handover) -> None:
    handover.flux.publish(EMPTY)
    assert len(handover.flux.inventory()) == 1
    handover.change(owner="pulumi")
    changes = handover.run.changes(handover.run.up())
    assert set(changes) <= {"same", "update"}, changes
    assert len(handover.strangers()) == 3
    handover.clear()
    assert handover.strangers() == []


def test_pulumi_can_change_what_it_took_back(handover: Handover) -> None:
    handover.change(reservations=[{"namespace": "dns", "name": "resolver", "address": "10.0.50.207"}])
    changes = handover.run.changes(handover.run.up())
    assert changes["create"] == 1, changes
    assert handover.client.get(POOLS, "homelab")["spec"]["blocks"][0]["stop"] == "10.0.50.206"
    assert set(handover.run.changes(handover.run.up())) == {"same"}


def test_no_address_was_ever_withdrawn(handover: Handover) -> None:
    """The watches ran all the time; a pool that is deleted at last shows that they would have seen it."""
    handover.mark("end")
    assert handover.lost() == []
    handover.client.run("kubectl", "delete", POOLS, "homelab")
    handover.services.wait_for(lambda: any("whoami" in moment for moment in handover.lost()))
    assert "DELETED homelab" in handover.lost()
