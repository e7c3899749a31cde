"""Where config and credentials come from, and what is said where they are missing."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops import sources
from ops.sources import CannotCheckError, Credentials, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[3]
OUTPUTS = {"kubeconfig": "kc", "talosconfig": "tc", "nodes": [1]}


def no_pulumi(*_: object) -> str:
    raise AssertionError("pulumi was asked")


def outputs(argv: Sequence[str], directory: Path, /) -> str:
    assert list(argv) == ["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", "homelab"]
    assert directory == Path("project")
    return json.dumps(OUTPUTS)


def test_the_config_of_a_stack() -> None:
    assert sources.cluster(Place(project=ROOT, stack="homelab")).name == "homelab"


def test_a_file_that_was_named_wins(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Pulumi.lab.yaml", tmp_path / "other.yaml")
    place = Place(project=ROOT, stack="homelab", config=tmp_path / "other.yaml")
    assert str(sources.cluster(place).endpoint.vip) == "127.0.10.10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "{path} cannot be read: no such file or directory"),
        ("a: [", "{path} is no YAML"),
        ("[]", "{path} has no config for homelab:cluster"),
        ("config: {}", "{path} has no config for homelab:cluster"),
        ("config: {'homelab:cluster': {name: X}}", "{path} has 7 fault(s):\nname: must be a DNS label"),
    ],
)
def test_a_stack_file_that_cannot_be_used(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "Pulumi.x.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CannotCheckError) as caught:
        sources.cluster(Place(project=tmp_path, stack="x"))
    assert str(caught.value).startswith(message.format(path=path))


def test_neither_stack_nor_file() -> None:
    with pytest.raises(CannotCheckError, match=r"name a stack \(--stack NAME\) or a stack file"):
        sources.stack_file(Place(project=Path()))


def test_credentials_of_a_stack() -> None:
    place = Place(project=Path("project"), stack="homelab")
    assert sources.credentials(place, outputs) == Credentials("kc", "tc")


def test_files_instead_of_the_stack(tmp_path: Path) -> None:
    kubeconfig, talosconfig = tmp_path / "k", tmp_path / "t"
    kubeconfig.write_text("{clusters: [{cluster: {server: a}}], users: [{user: {token: t}}]}")
    one = '{"clusters": [{"cluster": {"server": "a"}}], "users": [{"user": {"token": "t"}}]}'
    talosconfig.write_text("too")
    place = Place(project=Path("project"), stack="homelab", kubeconfig=kubeconfig)
    assert sources.credentials(place, no_pulumi) == Credentials(one, "")
    both = Place(project=Path("project"), kubeconfig=kubeconfig, talosconfig=talosconfig)
    assert sources.credentials(both, no_pulumi) == Credentials(one, "too")
    only_talos = Place(project=Path("project"), stack="homelab", talosconfig=talosconfig)
    assert sources.credentials(only_talos, outputs) == Credentials("kc", "too")


def test_nothing_named_is_nothing_found() -> None:
    assert sources.credentials(Place(project=Path()), no_pulumi) == Credentials()


def test_a_file_of_credentials_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotCheckError, match="k cannot be read: no such file or directory"):
        sources.credentials(Place(project=tmp_path, kubeconfig=tmp_path / "k"), no_pulumi)


def test_a_file_of_credentials_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"\xff\xfe")
    for place in (Place(project=tmp_path, kubeconfig=path), Place(project=tmp_path, talosconfig=path)):
        with pytest.raises(CannotCheckError, match="k is not text in UTF-8"):
            sources.credentials(place, no_pulumi)


def test_a_kubeconfig_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("[]")
    with pytest.raises(CannotCheckError, match="k cannot be used: it is no kubeconfig"):
        sources.credentials(Place(project=tmp_path, kubeconfig=tmp_path / "k"), no_pulumi)


def test_outputs_that_are_no_json() -> None:
    with pytest.raises(CannotCheckError, match="the outputs of stack homelab are no JSON"):
        sources.stack_outputs(Place(project=Path(), stack="homelab"), lambda *_: "warning: x")


def test_credentials_are_not_shown() -> None:
    assert "kc" not in repr(Credentials("kc", "tc"))


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = tmp_path / "pulumi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")


def test_pulumi_runs_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, 'echo "$* in $PWD"')
    assert sources.run_pulumi(["pulumi", "stack"], tmp_path) == f"stack in {tmp_path}\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo one >&2; echo error: no stack >&2; exit 1", "`pulumi stack output`: error: no stack"),
        ("exit 3", "`pulumi stack output`: exit status 3"),
        (
            "echo 'error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE' >&2; exit 1",
            (
                "`pulumi stack output` needs the passphrase of the stack's secrets: "
                "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
            ),
        ),
        (
            "echo 'error: failed to decrypt: incorrect passphrase, please' >&2; exit 1",
            (
                "`pulumi stack output` was given an incorrect passphrase: "
                "look at PULUMI_CONFIG_PASSPHRASE and PULUMI_CONFIG_PASSPHRASE_FILE"
            ),
        ),
    ],
)
def test_pulumi_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    program(tmp_path, monkeypatch, script)
    with pytest.raises(CannotCheckError) as caught:
        sources.run_pulumi(["pulumi", "stack", "output", "--show-secrets"], tmp_path)
    assert str(caught.value) == message


def test_pulumi_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotCheckError, match="pulumi is not on PATH; install it, or give --kubeconfig"):
        sources.run_pulumi(["pulumi"], tmp_path)


def test_pulumi_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(sources, "PULUMI_PATIENCE", 0.05)
    with pytest.raises(CannotCheckError, match=r"`pulumi` gave no answer in 0 s"):
        sources.run_pulumi(["pulumi"], tmp_path)
