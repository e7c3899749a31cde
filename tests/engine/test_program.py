"""The program on the real engine, before there is any node."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.automation import CommandError

if TYPE_CHECKING:
    from tests.engine.conftest import Project

pytestmark = pytest.mark.engine


def test_preview_of_a_fresh_stack_needs_no_node_no_talosctl_and_no_cluster(fresh: Project) -> None:
    """What a pull request from a fork can show."""
    stack = fresh.stack
    assert shutil.which("talosctl") is None
    changes = stack.preview(on_output=fresh.said.append).change_summary
    assert {str(getattr(op, "value", op)) for op in changes} == {"create"}
    for name in ("homelab-apply-cp1", "homelab-bootstrap", "cilium-release", "ingress-service"):
        assert name in fresh.text()
    assert (stack.export_stack().deployment or {}).get("resources", []) == []


def test_preview_shows_a_node_as_text(fresh: Project) -> None:
    """Patches travel apart from secrets, so that a review can read them; the engine shortens long ones."""
    fresh.stack.preview(diff=True, on_output=fresh.said.append)
    lines = [line.strip() for line in fresh.text().splitlines()]
    assert any(
        line.startswith('PATCH             : "machine:\\n  install:\\n    disk: /dev/vda') for line in lines
    )
    assert "stdin                 : [secret]" in lines


def test_every_fault_of_the_config_is_one_line_and_no_traceback(fresh: Project) -> None:
    """Before any resource: the plan is empty."""

    def break_it(cluster: dict[str, Any]) -> None:
        cluster["loadBalancer"]["cidr"] = "10.0.50.201/29"
        cluster["nodes"][0]["adress"] = "127.0.40.11"

    stack = fresh.stack
    fresh.edit(break_it)
    with pytest.raises(CommandError):
        stack.preview(on_output=fresh.said.append, on_error=fresh.said.append)
    text = fresh.text()
    assert "loadBalancer.cidr: 10.0.50.201/29 has host bits set; did you mean 10.0.50.200/29?" in text
    assert re.search(r"nodes\.(0|cp1)\.adress: .*address", text)
    assert "Traceback" not in text
    assert "homelab:talos:Cluster" not in text


def test_a_step_that_fails_says_what_to_check_and_the_next_run_goes_on(fresh: Project) -> None:
    """Without talosctl the first step on Talos fails; only the pinned ranges are in the state."""
    stack = fresh.stack
    with pytest.raises(CommandError):
        stack.up(on_output=fresh.said.append, on_error=fresh.said.append)
    assert re.search(r"talosctl.*PATH", fresh.text())
    resources = (stack.export_stack().deployment or {})["resources"]
    steps = [r["urn"].rpartition("::")[2] for r in resources if r["type"] == "command:local:Command"]
    assert steps == ["homelab-network"]
