"""Secrets in plain text are named, their values are not printed; names of objects may have dots."""

from __future__ import annotations

from typing import Any

import pytest

import config
from model.warnings import advice
from tests.cases.stack_cases import Case

PLAIN = "is a secret in plain text, which every preview and the state show"
REGISTRY = {
    "machine": {"registries": {"config": {"ghcr.io": {"auth": {"username": "u", "password": "hunter2"}}}}}
}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (
            {"talos.patches": {"all": [REGISTRY]}},
            "talos.patches.all.0.machine.registries.config.ghcr.io.auth.password",
        ),
        (
            {
                "nodes.0.patches": [
                    {"machine": {"network": {"interfaces": [{"wireguard": {"privateKey": "k"}}]}}}
                ]
            },
            "nodes.cp1.patches.0.machine.network.interfaces.0.wireguard.privateKey",
        ),
    ],
)
def test_a_secret_in_plain_text_is_named(changes: dict[str, Any], path: str) -> None:
    lines = advice(config.parse(Case(changes=changes).json()))
    assert f"{path}: {PLAIN}" in lines
    assert not any("hunter2" in line for line in lines)


def test_without_a_secret_there_is_no_such_warning() -> None:
    patch = {"machine": {"registries": {"config": {"ghcr.io": {"auth": {"username": "u", "password": ""}}}}}}
    lines = advice(config.parse(Case(changes={"talos.patches": {"all": [patch]}}).json()))
    assert not any(PLAIN in line for line in lines)


def test_the_name_of_a_secret_may_have_dots() -> None:
    ingress = {
        "controller": "gateway",
        "namespace": "gateway",
        "name": "lan",
        "address": "10.0.50.200",
        "tlsSecret": "wildcard.home.example",
    }
    changes = {"ingress": ingress, "cilium.gatewayApi": {"enabled": True}}
    assert config.parse(Case(changes=changes).json()).ingress.tls_secret == "wildcard.home.example"  # noqa: S105
