"""Shared by all tests: where the stack files are, and clusters made from them."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import config

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Cluster

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / "Pulumi.lab.yaml"


@pytest.fixture(scope="session")
def base() -> dict[str, Any]:
    """The config of the committed lab stack: three control planes, two workers, a tagged LAN."""
    cluster = yaml.safe_load(BASE.read_text())["config"]["homelab:cluster"]
    assert isinstance(cluster, dict)
    return cluster


@pytest.fixture
def make_cluster(base: dict[str, Any]) -> Callable[..., Cluster]:
    """Return a function that makes a checked cluster from the lab's config with some keys merged over it."""

    def make(over: dict[str, Any] | None = None) -> Cluster:
        return config.parse(json.dumps(merged(base, over or {})))

    return make


def merged(below: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `below` with `over` merged into it; a key with the value None is removed."""
    result = deepcopy(below)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
