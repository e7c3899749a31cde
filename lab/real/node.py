"""One real Talos node: machined in its own pid, mount, uts, ipc, cgroup and network namespaces."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.real import lan_bridge, packages, stations

if TYPE_CHECKING:
    from pathlib import Path

    from lab.real.cgroups import Groups
    from lab.real.real_layout import RealLayout
    from lab.real.stations import RealMachine

VOLUMES = {
    "/var": "var",
    "/etc/cni": "cni",
    "/etc/kubernetes": "kubernetes",
    "/usr/libexec/kubernetes": "libexec",
    "/opt": "opt",
    "/system/state": "state",
}
"""What survives a restart of the node: the volumes of Talos's own container platform."""

PARENTS = "parents"
"""The cgroup of the processes that made the nodes' namespaces."""

BIRTH_LIMIT = 20.0
NAMESPACES = ("--mount", "--uts", "--ipc", "--pid", "--cgroup")


class NodeError(RuntimeError):
    """A node did not start; the message has the end of its console."""


@dataclass(frozen=True)
class Nodes:
    """Starts and ends the nodes of one lab.

    Attributes:
        layout: Where their volumes and consoles lie.
        groups: Their cgroups.
        rootfs: Talos root file system, mounted read-only by all of them.
        init: The program that builds a node's mount tree.
    """

    layout: RealLayout
    groups: Groups
    rootfs: Path
    init: Path

    def running(self, machine: RealMachine) -> bool:
        """Tell whether the node has processes."""
        return self.groups.running(machine.name)

    def power_on(self, machine: RealMachine) -> None:
        """Start a node in a fresh network namespace; what its volumes hold decides what it becomes.

        Raises:
            NodeError: it did not start; the text has the end of its console.
        """
        directory = self.layout.node(machine.name)
        (directory / "root").mkdir(parents=True, exist_ok=True)
        # Left by the last start, it would let this one go on before its namespaces exist.
        (directory / "born").unlink(missing_ok=True)
        description = directory / "node.json"
        description.write_text(json.dumps(self._describe(machine, directory), indent=2))
        command = lan_bridge.inside(
            lan_bridge.namespace(machine.name),
            packages.find("unshare"),
            *NAMESPACES,
            "--fork",
            # Talos's init ignores SIGTERM, so anything gentler would leave the node running.
            "--kill-child=SIGKILL",
            # On exit machined unmounts all that it sees; shared mounts would be gone from this machine.
            "--propagation=private",
            str(self.init),
            str(description),
        )
        with (directory / "console.log").open("ab") as console:
            parent = subprocess.Popen(
                self.groups.joining(machine.name, *command),
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                start_new_session=True,
                # A node must not inherit what a person has exported, least of all credentials.
                env={"PATH": packages.SYSTEM_PATH},
            )

        self._leave_alone(parent, machine, directory / "born")

    def _leave_alone(self, parent: subprocess.Popen[bytes], machine: RealMachine, born: Path) -> None:
        """Take the process that made the namespaces out of the node's cgroup, then let the node begin."""
        deadline = time.monotonic() + BIRTH_LIMIT
        while not born.exists():
            if parent.poll() is not None or time.monotonic() > deadline:
                self.groups.end(machine.name)
                raise NodeError(f"{machine.name} did not start:\n{self.console(machine)}")
            time.sleep(0.01)
        # The kernel gives no controllers to groups below one that has processes of its own.
        self.groups.move(parent.pid, PARENTS)
        if parent.stdin is not None:
            # The node's init waits for the end of its input before it becomes Talos.
            parent.stdin.close()

    def _describe(self, machine: RealMachine, directory: Path) -> dict[str, object]:
        return {
            "name": machine.name,
            "rootfs": str(self.rootfs),
            "root": str(directory / "root"),
            "state": str(directory),
            "volumes": {path: str(directory / "volumes" / name) for path, name in VOLUMES.items()},
            "files": {
                "/etc/hostname": f"{machine.name}\n",
                "/etc/resolv.conf": f"nameserver {stations.GATEWAY}\n",
                "/etc/hosts": f"127.0.0.1 localhost\n{machine.address} {machine.name}\n",
            },
        }

    def power_off(self, machine: RealMachine) -> None:
        """Take a node away at once, as a power cut does: no process is asked, its cable goes dead first."""
        # The other order would let the kernel close connections of dying processes, which no power cut does.
        lan_bridge.plug(machine, connected=False)
        self.groups.end(machine.name)

    def power_on_again(self, machine: RealMachine) -> None:
        """Start a node that was cut off; addresses, routes and eBPF programs are gone as after a reboot."""
        lan_bridge.reset(machine)
        self.power_on(machine)

    def console(self, machine: RealMachine, lines: int = 15) -> str:
        """Return the end of what the node printed."""
        log = self.layout.node(machine.name) / "console.log"
        if not log.exists():
            return "(it never started)"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
