"""The command line of ops: options, output, exit statuses."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops import command_line, doctor, sources, verify
from ops.facts import FieldEntry, Pool, Seen
from ops.sources import Credentials
from ops.table import Row, failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.verify import Scope

ROOT = Path(__file__).resolve().parents[3]
LAB = ["--config", str(ROOT / "Pulumi.lab.yaml")]


@pytest.mark.parametrize(
    ("rows", "status"), [([passed("a", "b")], 0), ([passed("a", "b"), failed("c", "d")], 1)]
)
def test_verify_prints_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rows: list[Row], status: int
) -> None:
    scopes = []

    def fake(_cluster: object, _credentials: object, _runner: object, scope: Scope) -> list[Row]:
        scopes.append(scope.probe)
        return rows

    monkeypatch.setattr(verify, "verify", fake)
    assert command_line.main(["verify", *LAB]) == status
    assert capsys.readouterr().out.startswith("pass  a  b\n")
    assert command_line.main(["verify", *LAB, "--json", "--probe"]) == status
    assert json.loads(capsys.readouterr().out)["passed"] is (status == 0)
    assert scopes == [False, True]


def test_what_cannot_be_checked_has_a_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["verify"]) == 2
    assert capsys.readouterr().err == (
        "cannot check: name a stack (--stack NAME) or a stack file (--config Pulumi.NAME.yaml)\n"
    )


def test_doctor_prints_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fake(*_: object) -> Iterator[Row]:
        yield failed("talosctl", "not on PATH")

    monkeypatch.setattr(doctor, "doctor", fake)
    assert command_line.main(["doctor", "--stack", "homelab"]) == 1
    assert capsys.readouterr().out.startswith("fail  talosctl  not on PATH\n")


def test_render_writes_the_pools_beside_the_project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["render", *LAB, "--project", str(tmp_path)]
    target = tmp_path / "cilium-ip-pool.yaml"
    assert command_line.main([*arguments, "--check"]) == 1
    assert not target.exists()
    assert command_line.main(arguments) == 0
    assert "kind: CiliumL2AnnouncementPolicy" in target.read_text()
    assert command_line.main([*arguments, "--check"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        f"pass  {target}  is what the config says",
        "",
        "1 pass, 0 fail, 0 not applicable",
    ]


def test_render_writes_only_what_is_named(tmp_path: Path) -> None:
    release = tmp_path / "release.yaml"
    config = ["--config", str(ROOT / "Pulumi.homelab.yaml")]
    assert command_line.main(["render", *config, "--project", str(tmp_path), "--release", str(release)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["release.yaml"]
    assert "kind: HelmRelease" in release.read_text()


def test_owners(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    seen = Seen(pools=(Pool("a", (), fields=(FieldEntry(0, "kustomize-controller"),)),))
    given = []

    def look(_cluster: object, credentials: Credentials, _runner: object) -> Seen:
        given.append(credentials)
        return seen

    monkeypatch.setattr(verify, "look", look)
    talosconfig = tmp_path / "talosconfig"
    talosconfig.write_text("unused")
    assert command_line.main(["owners", *LAB, "--talosconfig", str(talosconfig)]) == 1
    assert "loadBalancer.owner is pulumi, but kustomize-controller holds" in capsys.readouterr().out
    assert command_line.main(["owners", *LAB, "--clear"]) == 0
    assert capsys.readouterr().out.startswith("kubectl patch ciliumloadbalancerippools.cilium.io a ")
    assert given == [Credentials(), Credentials()]  # nodes have nothing to say about it


def test_help_names_the_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main(["verify", "--help"])
    assert caught.value.code == 0
    assert "0 nothing failed, 1 something failed, 2 it could not be checked" in " ".join(
        capsys.readouterr().out.split()
    )


def test_the_module_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ops", "verify"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("ops", run_name="__main__")
    assert caught.value.code == 2


def test_importing_the_entry_point_runs_nothing() -> None:
    runpy.run_module("ops.__main__", run_name="ops.__main__")


def test_it_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops", "doctor", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("usage: python -m ops doctor")


@pytest.mark.parametrize("name", ["kubeconfig", "talosconfig"])
def test_credentials_are_written_where_the_person_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(sources, "stack_outputs", lambda *_: {name: "context: lab\ntoken: t0ken"})
    assert command_line.main([name, "--stack", "x", "--output", str(tmp_path / "f")]) == 0
    assert (tmp_path / "f").read_text() == "context: lab\ntoken: t0ken"
    monkeypatch.setenv(name.upper(), str(tmp_path / "own"))
    assert command_line.main([name, "--stack", "x"]) == 0
    assert (tmp_path / "own").exists()
    assert "t0ken" not in capsys.readouterr().out


def test_a_stack_without_credentials_has_none_to_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "stack_outputs", lambda *_: {})
    assert command_line.main(["kubeconfig", "--stack", "x"]) == 2
    assert capsys.readouterr().err == ("cannot check: stack x has no kubeconfig yet; `pulumi up` makes it\n")
