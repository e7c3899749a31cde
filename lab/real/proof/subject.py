"""What is examined: the running lab with its cluster, clients and configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.real.admin import Admin
    from lab.real.lan_client import LanClient
    from lab.real.node import Nodes
    from lab.real.stations import RealMachine
    from model import Cluster as Config


@dataclass(frozen=True)
class Subject:
    """The lab under examination.

    Attributes:
        cluster: Its administrator's view.
        nodes: What cuts a node's power.
        machines: Its nodes.
        clients: Two machines on the LAN.
        config: The checked stack config that the program ran with.
        seconds: What was measured, by name; filled by the checks.
    """

    cluster: Admin
    nodes: Nodes
    machines: tuple[RealMachine, ...]
    clients: tuple[LanClient, LanClient]
    config: Config
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The address that the ingress Service asks for."""
        return str(self.config.ingress.address)

    def machine(self, name: str) -> RealMachine:
        """Return a node by its name."""
        return next(machine for machine in self.machines if machine.name == name)
