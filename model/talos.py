"""Section `talos` of the stack file: image, patches, and how far a change may go."""

from typing import Any, Literal

from pydantic import Field

from model.strict import Model
from model.types import AcknowledgementCode, DnsLabel, SchematicId


class Patches(Model):
    """Talos strategic merge patches of the user, by who gets them."""

    all: tuple[dict[str, Any], ...] = Field(default=(), description="For every node.")
    control_plane: tuple[dict[str, Any], ...] = Field(default=(), description="For control planes.")
    worker: tuple[dict[str, Any], ...] = Field(default=(), description="For workers.")


class Talos(Model):
    """How Talos is installed and how far a change may go."""

    schematic: SchematicId | None = Field(
        default=None,
        description="Image Factory schematic id (64 hex digits); default: the installer without extensions.",
    )
    # A control plane that reboots is missing in etcd for minutes: never without being asked for.
    apply_mode: Literal["no-reboot", "staged", "auto"] = Field(
        default="no-reboot",
        description="no-reboot refuses a change that needs a reboot; auto reboots, one node at a time.",
    )
    schedule_on_control_planes: bool | None = Field(
        default=None,
        description="Default: only where there is no worker.",
    )
    patches: Patches = Field(default=Patches(), description="Talos patches: for all nodes, then by role.")
    protect: bool = Field(
        default=True,
        description="Refuse to delete secrets, bootstrap, Cilium and address pools until set to false.",
    )
    reset_on_destroy: bool = Field(
        default=False, description="`pulumi destroy` wipes the nodes. Never by default."
    )
    reinstall: tuple[DnsLabel, ...] = Field(
        default=(),
        description="Nodes that were configured before and may be installed again, on a wiped or another "
        "machine in maintenance mode. Take a node out once it is back.",
    )
    acknowledge: tuple[AcknowledgementCode, ...] = Field(
        default=(),
        description="Acknowledgement codes of a refused change of nodes, as it printed them.",
    )
    credentials_serial: int = Field(
        default=1,
        ge=1,
        description="Raise it to renew kubeconfig and talosconfig (client certificates live a year).",
    )
