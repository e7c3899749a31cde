"""Credentials in files: merged with what is there, and never readable by others."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from ops.credential_files import merged_kubeconfig, merged_talosconfig, own_file, save
from ops.sources import CannotCheckError

if TYPE_CHECKING:
    from collections.abc import Iterator


def kubeconfig(name: str, token: str, current: str = "") -> str:
    return yaml.safe_dump(
        {
            "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443"}}],
            "users": [{"name": f"admin@{name}", "user": {"token": token}}],
            "contexts": [{"name": f"admin@{name}", "context": {"cluster": name}}],
            "current-context": current,
        }
    )


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that would leave files readable by everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_kubeconfig_keeps_other_clusters_and_the_chosen_one() -> None:
    there = kubeconfig("work", "w", current="admin@work")
    found = yaml.safe_load(merged_kubeconfig(there, kubeconfig("homelab", "h", current="admin@homelab")))
    assert [entry["name"] for entry in found["clusters"]] == ["work", "homelab"]
    assert found["current-context"] == "admin@work"


def test_an_entry_of_the_same_name_is_renewed() -> None:
    found = yaml.safe_load(merged_kubeconfig(kubeconfig("homelab", "old"), kubeconfig("homelab", "new")))
    assert [entry["user"]["token"] for entry in found["users"]] == ["new"]


def test_a_file_without_a_choice_gets_one() -> None:
    found = yaml.safe_load(merged_kubeconfig("\n", kubeconfig("a", "t", current="admin@a")))
    assert (found["kind"], found["current-context"]) == ("Config", "admin@a")


def test_a_talosconfig_keeps_other_contexts_and_the_chosen_one() -> None:
    there = yaml.safe_dump({"context": "work", "contexts": {"work": {"ca": "w"}, "lab": {"ca": "old"}}})
    new = yaml.safe_dump({"context": "lab", "contexts": {"lab": {"ca": "new"}}})
    assert yaml.safe_load(merged_talosconfig(there, new)) == {
        "context": "work",
        "contexts": {"work": {"ca": "w"}, "lab": {"ca": "new"}},
    }


@pytest.mark.parametrize("text", ["[]", "a: ["])
def test_something_else_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(
        CannotCheckError, match="what is there is no kubeconfig; name another file with --output"
    ):
        save(path, kubeconfig("a", "t"), merged_kubeconfig)
    assert path.read_text() == text


@pytest.mark.usefixtures("open_umask")
def test_files_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    assert save(path, "secret") == f"{path} written, readable by you alone (0600)"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("open_umask")
def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(kubeconfig("a", "t"))
    assert save(path, kubeconfig("b", "t"), merged_kubeconfig).startswith(f"{path} merged, readable by you")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_without_merging_the_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("anything")
    assert save(path, "text") == f"{path} written, readable by you alone (0600)"
    assert path.read_text() == "text"


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with pytest.raises(CannotCheckError, match="config cannot be written: is a directory"):
        save(tmp_path / "config", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"\xff\xfe")
    with pytest.raises(CannotCheckError, match="config cannot be written: it is not text in UTF-8"):
        save(tmp_path / "config", "a: b", merged_talosconfig)


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"HOME": "/home/me"}, "/home/me/.kube/config"),
        ({"HOME": "/home/me", "KUBECONFIG": "/a:/b"}, "/a"),
    ],
)
def test_the_users_own_file(environment: dict[str, str], path: str) -> None:
    assert own_file(environment, "KUBECONFIG", ".kube/config") == Path(path)
