"""Where the real lab keeps what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.layout import REPOSITORY, Layout

STACK = "lab-real"
RUNTIME = Path("/run/talos-lab-real")
"""Which lab runs on this machine: its addresses and namespaces exist once."""


@dataclass(frozen=True)
class RealLayout(Layout):
    """Paths below the state directory (default `.lab-real` in the repository)."""

    state: Path = REPOSITORY / ".lab-real"

    @property
    def stack_file(self) -> Path:
        """Config of stack `lab-real` with the nodes that were asked for."""
        return self.project / f"Pulumi.{STACK}.yaml"

    @property
    def registry_log(self) -> Path:
        """What the local registry was asked."""
        return self.state / "registry.log"

    @property
    def evidence(self) -> Path:
        """The report of the last run as JSON; the tests assert it."""
        return self.state / "report.json"

    @property
    def tries(self) -> Path:
        """Every question of the watching client while a node was cut off."""
        return self.state / "failover.jsonl"

    @property
    def run(self) -> Path:
        """What the engine's last run changed, and its seconds."""
        return self.state / "run.json"

    def node(self, name: str) -> Path:
        """Directory of one node: its volumes, mount point and log."""
        return self.nodes / name
