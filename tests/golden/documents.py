"""Which golden files there are, and what must be in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import config
from components.cilium.values import helm_values
from components.load_balancer.manifests import manifests
from components.talos.step_inputs import machine_config_inputs
from tests.cases.stack_cases import valid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model import Cluster, Node

GOLDEN = Path(__file__).resolve().parent
MACHINE_CONFIG = (
    "cards-by-mac",
    "disk-by-selector",
    "endpoint-host",
    "node-labels",
    "patches",
    "single-node",
    "tagged",
    "untagged",
)
VALUES = ("everything-on", "fast-failover", "hubble", "native-routing", "single-node", "tagged", "values")
BALANCER = (
    "reservations",
    "single-node",
    "tagged",
    "tagged-all-announce",
    "untagged",
    "without-first-and-last",
    "without-ingress",
)


def load(stack: str) -> Cluster:
    """Return the cluster of a valid stack file."""
    return config.parse(valid()[stack].json())


def ends(cluster: Cluster) -> tuple[Node, ...]:
    """Return the first control plane and, if there are workers, the last of them."""
    return (*cluster.control_planes[:1], *cluster.workers[-1:])


def documents() -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of every golden file."""
    for stack in MACHINE_CONFIG:
        cluster = load(stack)
        for node in ends(cluster):
            path = GOLDEN / "machine-config" / f"{stack}-{node.name}.yaml"
            yield path, written(machine_config_inputs(cluster, node).environment())
    for stack in VALUES:
        yield GOLDEN / "values" / f"{stack}.yaml", written(helm_values(load(stack)))
    for stack in BALANCER:
        yield GOLDEN / "load-balancer" / f"{stack}.yaml", written(*manifests(load(stack)))


def written(*data: dict[str, Any]) -> str:
    """Return documents as YAML with text of many lines as it is."""
    return yaml.dump_all(data, Dumper=_Readable, sort_keys=False, default_flow_style=False, width=110)


class _Readable(yaml.SafeDumper):
    """Writes text of many lines as a block."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _represent)
