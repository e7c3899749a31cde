"""Tools of this machine, and what it sees of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clients.talos.handshake import Sight, State
from ops import workstation
from ops.sources import Credentials
from ops.table import Verdict
from ops.workstation import Tool
from tests.unit.ops.test_certificates import YEAR, talosconfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model import Cluster


def install(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}")
    install(tmp_path, "pulumi", "echo v3.259.0")
    install(tmp_path, "kubectl", "exit 1")
    install(tmp_path, "helm", "echo no version")
    assert [(row.check, row.verdict, row.evidence) for row in workstation.tools()] == [
        ("pulumi", Verdict.PASS, "v3.259.0"),
        ("talosctl", Verdict.FAIL, "not on PATH"),
        ("kubectl", Verdict.FAIL, f"{tmp_path}/kubectl tells no version"),
        ("helm", Verdict.FAIL, f"{tmp_path}/helm tells no version"),
    ]


def test_a_tool_for_looking_around_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(workstation, "TOOLS", (Tool("kubectl", ("version",)),))
    (row,) = workstation.tools()
    assert (row.verdict, row.evidence) == (
        Verdict.NOT_APPLICABLE,
        "not on PATH; only for looking around by hand",
    )


def test_a_tool_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(workstation, "TOOLS", (Tool("pulumi", ("version",), "x"),))
    (tmp_path / "pulumi").write_text("#!/nowhere\n")
    (tmp_path / "pulumi").chmod(0o755)
    (row,) = workstation.tools()
    assert row.evidence == f"{tmp_path}/pulumi does not run"


A, B = "10.0.50.11", "10.0.50.111"


@pytest.mark.parametrize(
    ("sights", "known", "verdict", "evidence"),
    [
        ([Sight(A, State.OURS)], True, Verdict.PASS, f"{A} is a node of this cluster"),
        (
            [Sight(A, State.SILENT, "timed out"), Sight(B, State.MAINTENANCE)],
            True,
            Verdict.PASS,
            f"{B} is in maintenance mode: `pulumi up` configures it",
        ),
        ([Sight(A, State.FOREIGN)], True, Verdict.FAIL, f"{A} is a node of another cluster"),
        ([Sight(A, State.FOREIGN)], False, Verdict.FAIL, f"{A} belongs to some cluster"),
        ([Sight(A, State.STRANGER)], False, Verdict.FAIL, f"{A} is no Talos API"),
        (
            [Sight(A, State.SILENT, "timed out"), Sight(B, State.SILENT, "refused")],
            True,
            Verdict.FAIL,
            f"{A} does not answer (timed out); {B} does not answer (refused)",
        ),
        (
            [Sight(A, State.CLOCK, "expired")],
            True,
            Verdict.FAIL,
            f"{A} is a node of this cluster whose certificate is not valid now: clocks differ (expired)",
        ),
    ],
)
def test_what_a_node_is(sights: list[Sight], verdict: Verdict, evidence: str, *, known: bool) -> None:
    row = workstation.node_row("cp1", sights, known=known)
    assert (row.check, row.verdict, row.evidence) == ("node cp1", verdict, evidence)


@pytest.mark.parametrize(
    ("config", "ca"), [(talosconfig(YEAR.certificate), YEAR.certificate), ("", ""), ("broken: [", "")]
)
def test_every_node_is_looked_at_with_the_clusters_ca(
    make_cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch, config: str, ca: str
) -> None:
    asked = set()

    def look(address: str, given: str) -> Sight:
        assert given == ca
        asked.add(address)
        return Sight(address, State.MAINTENANCE)

    monkeypatch.setattr(workstation, "look", look)
    rows = list(workstation.nodes(make_cluster({}), Credentials("", config)))
    assert [row.check for row in rows] == ["node cp1", "node cp2", "node cp3", "node w1", "node w2"]
    assert {"127.0.10.11", "127.0.110.11"} <= asked
    assert len(asked) == 10
