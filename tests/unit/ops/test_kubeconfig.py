"""Ordinary kubeconfigs: the current context is found in whatever people have."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import TYPE_CHECKING

import pytest
import yaml

from clients.kubernetes.connection import parse_kubeconfig
from ops.kubeconfig import KubeconfigFileError, current_context

if TYPE_CHECKING:
    from pathlib import Path


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def cluster(name: str) -> dict[str, object]:
    server = f"https://{name}.example:6443"
    return {"name": name, "cluster": {"server": server, "certificate-authority-data": encoded(f"CA {name}")}}


def user(name: str) -> dict[str, object]:
    return {"name": name, "user": {"token": f"token-of-{name}"}}


TWO = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "lab",
    "contexts": [
        {"name": "work", "context": {"cluster": "work", "user": "me"}},
        {"name": "lab", "context": {"cluster": "lab", "user": "admin@lab"}},
    ],
    "clusters": [cluster("work"), cluster("lab")],
    "users": [user("me"), user("admin@lab")],
}


@pytest.mark.parametrize(
    "text",
    [
        yaml.safe_dump(TWO),
        yaml.safe_dump(TWO, default_flow_style=True),
        json.dumps(TWO),
    ],
    ids=["block", "flow", "json"],
)
def test_the_current_context_is_taken_from_several(text: str) -> None:
    found = parse_kubeconfig(current_context(text))
    assert (found.server, found.ca, found.token) == (
        "https://lab.example:6443",
        "CA lab",
        "token-of-admin@lab",
    )


def test_the_only_context_needs_no_choice() -> None:
    one = {**TWO, "contexts": TWO["contexts"][:1], "current-context": ""}
    assert parse_kubeconfig(current_context(yaml.safe_dump(one))).server == "https://work.example:6443"


def test_a_file_without_contexts_has_one_cluster_and_one_user() -> None:
    bare = {"clusters": [cluster("lab")], "users": [user("me")]}
    assert "token-of-me" in current_context(yaml.safe_dump(bare))


def test_certificates_in_files_beside_it_are_read(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt", "me.key", "token"):
        (tmp_path / name).write_text(f"content of {name}\n")
    files = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "token"}
    document = {
        "clusters": [{"cluster": {"server": "https://a:6443", "certificate-authority": "ca.crt"}}],
        "users": [{"user": files}],
    }
    found = parse_kubeconfig(current_context(yaml.safe_dump(document), tmp_path))
    assert (found.ca, found.certificate, found.key, found.token) == (
        "content of ca.crt\n",
        "content of me.crt\n",
        "content of me.key\n",
        "content of token",
    )


def test_what_other_tools_note_in_it_is_left_out() -> None:
    """An extension may hold a date, which JSON does not have, or a key of the same name."""
    noted = {"since": date(2026, 1, 2), "server": "https://elsewhere.example"}
    entry = {"server": "https://lab.example:6443", "certificate-authority-data": encoded("CA")}
    clusters = [{"cluster": {**entry, "extensions": [{"name": "tool", "extension": noted}]}}]
    text = yaml.safe_dump({"clusters": clusters, "users": [user("me")]})
    assert parse_kubeconfig(current_context(text)).server == "https://lab.example:6443"


@pytest.mark.parametrize("entries", ["lab", ["lab"], {"name": "lab"}])
def test_entries_of_another_shape_are_none(entries: object) -> None:
    with pytest.raises(KubeconfigFileError, match=r"^it has 0 clusters 'lab', and one is needed$"):
        current_context(yaml.safe_dump({**TWO, "clusters": entries}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"current-context": ""}, "it has several contexts and no current-context"),
        ({"current-context": "gone"}, "it has 0 contexts 'gone', and one is needed"),
        ({"clusters": [cluster("work")]}, "it has 0 clusters 'lab', and one is needed"),
        ({"users": [user("admin@lab"), user("admin@lab")]}, "it has 2 users 'admin@lab', and one is needed"),
        ({"contexts": None}, "it has 2 clusters, and one is needed"),
        (
            {"users": [{"name": "admin@lab", "user": {"exec": {"command": "aws"}}}]},
            "its user gets credentials from a program (exec); use one with a certificate or a token",
        ),
        ({"contexts": ["lab"]}, "it has 0 contexts 'lab', and one is needed"),
        (
            {"users": [{"name": "admin@lab", "user": {"tokenFile": "/nowhere/token"}}]},
            "/nowhere/token cannot be read: no such file or directory",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_why(change: dict[str, object], message: str) -> None:
    with pytest.raises(KubeconfigFileError) as caught:
        current_context(yaml.safe_dump({**TWO, **change}))
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "message"), [("a: [", "it is no YAML"), ("[]", "it is no kubeconfig")])
def test_a_text_that_is_no_kubeconfig(text: str, message: str) -> None:
    with pytest.raises(KubeconfigFileError, match=f"^{message}$"):
        current_context(text)
