"""Shared by the tests of the program: clusters made from stack files, and what the program registers."""

from __future__ import annotations

import json
import runpy
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import config
from tests.recording import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Cluster
    from tests.recording import Graph

ROOT = Path(__file__).resolve().parent.parent
KEY = "homelab:cluster"


def stack_config(path: Path) -> dict[str, Any]:
    """Return the value of `homelab:cluster` in a stack file."""
    cluster = yaml.safe_load(path.read_text())["config"][KEY]
    assert isinstance(cluster, dict)
    return cluster


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


@pytest.fixture(scope="session")
def base() -> dict[str, Any]:
    """The config of the committed lab stack: three control planes, two workers, a tagged LAN."""
    return stack_config(ROOT / "Pulumi.lab.yaml")


@pytest.fixture(scope="session")
def make_cluster(base: dict[str, Any]) -> Callable[[dict[str, Any]], Cluster]:
    """Return a function that makes a checked cluster from the lab's config with some keys changed."""
    return lambda over: config.parse(json.dumps(merged(base, over)))


@pytest.fixture(scope="session")
def run_main(base: dict[str, Any]) -> Callable[..., Graph]:
    """Return a function that runs `__main__.py` on the lab's config with some keys changed."""

    def run(
        over: dict[str, Any] | None = None, *, preview: bool = False, secrets: str | None = None
    ) -> Graph:
        return run_program(merged(base, over or {}), preview=preview, secrets=secrets)

    return run


@pytest.fixture(scope="session")
def graph(run_main: Callable[..., Graph]) -> Graph:
    """The lab stack: every kind of resource but the gate of the lease."""
    return run_main()


def run_program(cluster: dict[str, Any], *, preview: bool = False, secrets: str | None = None) -> Graph:
    """Run the whole program on a config and return what it registered."""
    values = {KEY: json.dumps(cluster)}
    if secrets is not None:
        values["homelab:talosSecrets"] = secrets
    return record(
        lambda: void(runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")),
        preview=preview,
        config=values,
        secret_keys=("homelab:talosSecrets",),
    )


def void(_: object) -> None:
    """Drop a result: Pulumi takes what a program returns for its outputs."""
