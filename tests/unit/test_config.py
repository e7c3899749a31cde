"""load(): what the program sees, and what a person reads when it may not run."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pulumi
import pytest
from pulumi.runtime.config import set_all_config

import config
from tests.cases.stack_cases import ROOT, valid

if TYPE_CHECKING:
    from collections.abc import Iterator

UNTAGGED, STRICT = valid()["untagged"].json(), valid()["strict"].json()


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run as the project and leave no config behind."""
    monkeypatch.setattr("pulumi.config.get_project", lambda: "homelab")
    yield
    set_all_config({})


def given(cluster: str | None, secret_keys: tuple[str, ...] = (), **others: str) -> None:
    values = {} if cluster is None else {"homelab:cluster": cluster}
    named = {f"homelab:{key}": value for key, value in others.items()}
    set_all_config({**values, **named}, [f"homelab:{key}" for key in secret_keys])


def test_the_cluster_of_the_stack_is_loaded() -> None:
    """load() returns what parse() makes of the stack's config, without secrets if none are given."""
    given(UNTAGGED)
    loaded = config.load()
    assert loaded.cluster == config.parse(UNTAGGED)
    assert loaded.talos_secrets is None


def test_given_talos_secrets_stay_secret() -> None:
    """The bundle arrives as a secret output and nowhere else."""
    given(UNTAGGED, ("talosSecrets",), talosSecrets="bundle")

    async def told() -> tuple[str | None, bool]:
        secrets = config.load().talos_secrets
        assert secrets is not None
        return await secrets.future(), await secrets.is_secret()

    assert asyncio.run(told()) == ("bundle", True)


def test_talos_secrets_in_clear_text_are_refused() -> None:
    """The engine cannot demand encryption of an optional key, so the program does."""
    given(UNTAGGED, talosSecrets="bundle")
    with pytest.raises(
        pulumi.RunError, match=r"^homelab:talosSecrets: is in clear text; use `pulumi config set"
    ):
        config.load()


def test_faults_are_one_error_without_a_traceback_of_pydantic() -> None:
    """Pulumi prints the message of a RunError alone; no cause is left to print."""
    given(json.dumps({"name": "home.lab"}))
    with pytest.raises(pulumi.RunError) as caught:
        config.load()
    assert str(caught.value).splitlines() == [
        "the stack config has 7 fault(s):",
        "name: must be a DNS label: lower-case letters, digits and dashes, at most 63, no dash at either end",
        "endpoint: set this key",
        "network: set this key",
        "lan: set this key",
        "nodes: set this key",
        "loadBalancer: set this key",
        "ingress.address: set the address it asks for, or set ingress.controller to none",
    ]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_missing_cluster_says_how_to_set_it() -> None:
    """Pulumi's own message names the key."""
    given(None)
    with pytest.raises(pulumi.RunError, match="Missing required configuration variable 'homelab:cluster'"):
        config.load()


@pytest.mark.parametrize("text", ["homelab", "[1, 2]", "5", "null", ""])
def test_a_cluster_that_is_no_mapping_is_said_in_one_line(text: str) -> None:
    """Text, lists and numbers are refused as such, not key by key."""
    with pytest.raises(config.Faults) as caught:
        config.parse(text)
    (line,) = caught.value.lines
    assert line.startswith("homelab:cluster: must be a mapping")


def test_warnings_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is only unwise does not stop the program, but a person reads it."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    given(STRICT)
    config.load()
    assert said == [
        "cilium.kubeProxyReplacement: strict is read as true, which is what today's charts call it",
    ]


def test_parse_works_without_pulumi() -> None:
    """Tools that only read a stack file need no engine and no SDK."""
    program = "import sys, config; config.parse(sys.stdin.read()); print('pulumi' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=UNTAGGED,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_an_encrypted_value_in_the_cluster_is_refused() -> None:
    """The engine marks the whole key as secret if one value inside it is encrypted."""
    given(UNTAGGED, ("cluster",))
    with pytest.raises(pulumi.RunError) as caught:
        config.load()
    assert str(caught.value) == f"homelab:cluster: holds an encrypted value: {config.NO_SECRETS}"
