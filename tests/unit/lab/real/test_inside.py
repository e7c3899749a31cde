"""The verdict of `ops verify` on the lab with real nodes: written inside the LAN, read outside."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from lab.real import inside, make_targets, program, site
from lab.real.real_layout import RealLayout
from ops import sources, table, verify
from ops.sources import CannotCheckError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [table.passed("nodes Ready", "3 of 3"), table.failed("kube-proxy absent", "still there: kube-proxy")]


class SiteWithoutNodes:
    """A site without nodes, whose half inside the LAN runs here."""

    def __init__(self, layout: RealLayout) -> None:
        self.layout = layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RealLayout:
    outputs = {name: SimpleNamespace(value=name) for name in ("kubeconfig", "talosconfig")}
    stack = SimpleNamespace(outputs=lambda: outputs)
    monkeypatch.setattr(program, "open_stack", lambda _: stack)
    monkeypatch.setattr(sources, "cluster", lambda _: None)
    monkeypatch.setattr(
        make_targets, "inside", lambda made, command: inside.main([command, str(made.layout.state)])
    )
    return RealLayout(tmp_path)


def test_every_line_of_the_table_is_a_claim(layout: RealLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "verify", lambda *_: ROWS)
    claims = list(make_targets.verified(cast("site.Site", SiteWithoutNodes(layout))))
    assert [(claim.claim, claim.passed, claim.evidence) for claim in claims] == [
        ("verify: nodes Ready", True, "pass: 3 of 3"),
        ("verify: kube-proxy absent", False, "fail: still there: kube-proxy"),
    ]
    assert json.loads(layout.run.read_text())["passed"] is False


def test_a_cluster_that_cannot_be_asked_gives_no_claims(
    layout: RealLayout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise CannotCheckError("no answer")

    monkeypatch.setattr(verify, "verify", refuse)
    with pytest.raises(site.SiteError, match=r"^ops verify could not look, see above$"):
        list(make_targets.verified(cast("site.Site", SiteWithoutNodes(layout))))
    assert "lab-real: the cluster cannot be checked: no answer" in capsys.readouterr().out
