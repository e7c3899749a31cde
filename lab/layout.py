"""Where the lab keeps what it needs: one private, git-ignored directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAM = ("Pulumi.yaml", "__main__.py", "config.py", "model", "components", "clients", "steps")
"""What `pulumi up` needs of the repository; the lab's project directory links to it, unchanged."""

STACK = "lab"
PROJECT = "homelab"


@dataclass(frozen=True)
class Layout:
    """Paths below the lab's state directory (default `.lab` in the repository)."""

    state: Path = REPOSITORY / ".lab"

    @property
    def project(self) -> Path:
        """Pulumi project directory: links to the program and the generated stack file."""
        return self.state / "project"

    @property
    def stack_file(self) -> Path:
        """Config of stack `lab` with the nodes that were asked for."""
        return self.project / f"Pulumi.{STACK}.yaml"

    @property
    def tools(self) -> Path:
        """One directory for PATH with a link to every tool in use."""
        return self.state / "bin"

    @property
    def backend(self) -> Path:
        """File backend with the stack's state."""
        return self.state / "backend"

    @property
    def pulumi_home(self) -> Path:
        """Pulumi's own directory, so that nothing is written to `~/.pulumi`."""
        return self.state / "pulumi"

    @property
    def passphrase(self) -> Path:
        """Random passphrase of the stack's secrets (0600)."""
        return self.state / "passphrase"

    @property
    def nodes(self) -> Path:
        """The simulator's state: the disks of the simulated nodes."""
        return self.state / "nodes"

    @property
    def simulator_config(self) -> Path:
        """What the simulator is asked to play."""
        return self.state / "simulator.json"

    @property
    def socket(self) -> Path:
        """Control socket of the simulator."""
        # The simulator's own default: its configuration does not name another.
        return self.nodes / "sim.sock"

    @property
    def simulator_pid(self) -> Path:
        """Process id and start time of the running simulator."""
        return self.state / "simulator.pid"

    @property
    def simulator_log(self) -> Path:
        """What the simulator said."""
        return self.state / "simulator.log"

    @property
    def access(self) -> Path:
        """Kubeconfig and talosconfig that a person asked for with `make lab-env`."""
        return self.state / "access"

    @property
    def lock(self) -> Path:
        """Held by the lab command that is running."""
        return self.state / "lock"

    def client_caches(self) -> dict[str, str]:
        """Variables that keep the caches of kubectl and helm out of the home directory."""
        cache = self.state / "cache"
        helm = {
            f"HELM_{kind}_HOME": str(cache / "helm" / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")
        }
        return {"KUBECACHEDIR": str(cache / "kubectl"), **helm}

    def prepare(self) -> None:
        """Create the private state directory."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The mode of mkdir does nothing for a directory that exists already.
        self.state.chmod(0o700)
