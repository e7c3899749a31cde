"""Reads the stack config: the only module that knows `pulumi.Config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from model import Cluster
from model.explain import explain
from model.faults import Faults

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What the program is told.

    Attributes:
        cluster: The checked config; it holds no secret.
        talos_secrets: An existing Talos secrets bundle to use instead of a new one; secret.
    """

    cluster: Cluster
    talos_secrets: pulumi.Output[str] | None


def parse(text: str) -> Cluster:
    """Return the cluster described by `text`, the JSON of `homelab:cluster`.

    Raises:
        Faults: with every fault that can be told, shape and rules together.
    """
    try:
        return Cluster.model_validate_json(text)
    except ValidationError as error:
        raise Faults(explain(error)) from None


def load() -> Loaded:
    """Return the config of the current stack.

    Raises:
        pulumi.RunError: if it has faults: all of them, one line each.
    """
    import pulumi  # noqa: PLC0415 - the only place that needs the engine; parse() works without it

    config = pulumi.Config()
    try:
        cluster = parse(config.require("cluster"))
    except Faults as faults:
        raise pulumi.RunError(f"the stack config has faults:\n{faults}") from None
    return Loaded(cluster=cluster, talos_secrets=config.get_secret("talosSecrets"))
