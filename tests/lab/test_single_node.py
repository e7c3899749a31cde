"""The smallest cluster: one node, a given endpoint instead of a VIP, imported Talos secrets."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from pulumi import automation

from lab import report, simulator
from ops.table import Verdict
from tests.lab.conftest import fresh_lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.conftest import Run

pytestmark = pytest.mark.lab
ADDRESS = "127.0.24.11"
CHANGED = (
    *("homelab-machine-config-cp1", "homelab-apply-cp1", "homelab-nodes", "homelab-talos-health"),
    *("cilium-release", "cilium-ready", "cilium-nodes"),
)
"""What a patch of the node and a value of Cilium change."""


@pytest.fixture(scope="module")
def single() -> Iterator[Run]:
    """A lab of one node."""
    with fresh_lab("24", nodes="1") as run:
        document = yaml.safe_load(run.layout.stack_file.read_text())
        document["config"]["homelab:cluster"]["endpoint"] = {"host": ADDRESS}
        run.layout.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        yield run


@pytest.fixture(scope="module")
def bundle(single: Run) -> str:
    """A secrets bundle made by hand."""
    command = [str(single.layout.tools / "talosctl"), "gen", "secrets", "--output-file=-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def done(single: Run, bundle: str) -> automation.UpResult:
    """The first `pulumi up`."""
    single.run_pulumi(
        "pulumi", "config", "set", "--secret", "--stack=lab", "homelab:talosSecrets", "--", bundle
    )
    return single.up()


def test_one_node_becomes_a_cluster_with_its_address(single: Run, done: automation.UpResult) -> None:
    assert done.outputs["endpoint"].value == f"https://{ADDRESS}:6443"
    rows = {row.check: row for row in report.rows(single.layout, done.outputs)}
    assert [row for row in rows.values() if row.verdict is Verdict.FAIL] == []
    assert rows["nodes Ready"].evidence == "1 of 1"


def test_its_identity_is_the_imported_one(done: automation.UpResult, bundle: str) -> None:
    """The CA of the outputs is the CA of the bundle, and no other secrets were generated."""
    talosconfig = yaml.safe_load(done.outputs["talosconfig"].value)
    context = talosconfig["contexts"][talosconfig["context"]]
    assert context["ca"] == yaml.safe_load(bundle)["certs"]["os"]["crt"]


def test_no_secrets_step_is_in_the_state(single: Run, done: automation.UpResult) -> None:
    resources = (single.stack.export_stack().deployment or {})["resources"]
    names = [resource["urn"].rpartition("::")[2] for resource in resources]
    assert "homelab-bootstrap" in names
    assert "homelab-secrets" not in names


def test_a_pull_request_is_previewed_where_nothing_of_the_cluster_can_be_reached(
    single: Run, bundle: str, done: automation.UpResult
) -> None:
    """On a runner outside the LAN: the change as text, of a node and of a release, and nothing secret."""
    simulator.stop(single.layout)
    assert {str(getattr(op, "value", op)) for op in single.stack.preview().change_summary} == {"same"}
    document = yaml.safe_load(single.layout.stack_file.read_text())
    cluster = document["config"]["homelab:cluster"]
    cluster["talos"]["patches"] = {"all": [{"machine": {"sysctls": {"vm.swappiness": "1"}}}]}
    cluster.setdefault("cilium", {})["hubble"] = {"enabled": True}
    single.layout.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    shown: list[str] = []
    summary = single.stack.preview(on_output=shown.append, diff=True, color="never").change_summary
    assert summary[automation.OpType.UPDATE] == len(CHANGED)
    text = "\n".join(shown)
    assert {name for name in CHANGED if f"::{name}]" not in text} == set()
    assert 'vm.swappiness: "1"' in text
    assert "enabled: false => true" in text
    assert "stdin: [secret] => [secret]" in text
    assert yaml.safe_load(bundle)["certs"]["os"]["key"] not in text
