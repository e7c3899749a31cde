"""Reads the stack config: the only module that knows `pulumi.Config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.faults import Faults
from model.parse import read_cluster
from model.warnings import advice

if TYPE_CHECKING:
    import pulumi

    from model import Cluster


__all__ = ["Faults", "Loaded", "load", "parse"]


NO_SECRETS = (
    "homelab:cluster is plain text in every preview, so it may hold no secret; "
    "remove the value, and renew the secret if it was ever applied"
)


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
        Faults: with every fault that can be told, of shape and of the rules together.
    """
    return read_cluster(text)


def load() -> Loaded:
    """Return the config of the current stack; what is only unwise is logged as warnings.

    Raises:
        pulumi.RunError: if it has faults: all of them, one line each.
    """
    import pulumi  # noqa: PLC0415 - parse() serves tests and tools without the engine

    config = pulumi.Config()
    _refuse_encrypted_cluster(config)
    try:
        cluster = parse(config.require("cluster"))
    except Faults as faults:
        raise pulumi.RunError(f"the stack config has {len(faults.lines)} fault(s):\n{faults}") from None
    for warning in advice(cluster):
        pulumi.log.warn(warning)
    return Loaded(cluster=cluster, talos_secrets=_imported_secrets(config))


def _refuse_encrypted_cluster(config: pulumi.Config) -> None:
    """Raise `pulumi.RunError` if a value of the cluster is encrypted: it would arrive in clear text."""
    import pulumi  # noqa: PLC0415
    from pulumi.runtime.config import is_config_secret  # noqa: PLC0415

    if is_config_secret(config.full_key("cluster")):
        raise pulumi.RunError(f"homelab:cluster: holds an encrypted value: {NO_SECRETS}")


def _imported_secrets(config: pulumi.Config) -> pulumi.Output[str] | None:
    """Return the Talos secrets bundle of the config, which the engine does not force to be encrypted."""
    import pulumi  # noqa: PLC0415
    from pulumi.runtime.config import is_config_secret  # noqa: PLC0415

    if is_config_secret(config.full_key("talosSecrets")):
        return config.get_secret("talosSecrets")
    if config.get("talosSecrets") is not None:
        raise pulumi.RunError("homelab:talosSecrets: is in clear text; use `pulumi config set --secret`")
    return None
