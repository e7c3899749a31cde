"""The machines of the real lab: made, started, ended, and cleared of what an interrupted run left behind."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.layout import REPOSITORY
from lab.real import host, images, lan_bridge, packages, rootfs
from lab.real.cgroups import Groups
from lab.real.node import Nodes
from lab.real.real_layout import RUNTIME
from lab.real.stations import CLIENTS, GATEWAY, REGISTRY_PORT
from lab.real.tools import collect
from lab.tools.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.real.host import Host
    from lab.real.oci import Store
    from lab.real.real_layout import RealLayout
    from lab.real.stations import RealMachine
    from lab.real.tools import Tools

SERVICES = "services"
"""The cgroup of what is not a node: the registry."""


class SiteError(RuntimeError):
    """The lab cannot do what was asked; the message says what to do."""


@dataclass(frozen=True)
class Parts:
    """What a run is made of, built or found for this machine."""

    host: Host
    tools: Tools
    rootfs: Path
    images: Store


def provide(say: Callable[[str], None]) -> Parts:
    """Check the machine and get every part.

    Raises:
        Unsuitable: the lab cannot run on this machine, with the reasons.
        ToolsError: a tool is not available.
    """
    machine = host.inspect()
    # Only after the machine was found fit: nobody wants packages for a lab that cannot run.
    packages.ensure(say)
    for line in machine.deviations():
        say(f"only on this machine: {line}")
    tools = collect(machine)
    told = Progress()
    return Parts(machine, tools, rootfs.assemble(machine, tools), images.build(tools, told))


@contextmanager
def exclusive(layout: RealLayout) -> Iterator[None]:
    """Hold the machine's one real lab for a command.

    Raises:
        Unsuitable: the lab cannot run on this machine, with the reasons; nothing was touched.
        SiteError: another command runs, or another checkout has its lab here.
    """
    host.inspect()
    RUNTIME.mkdir(mode=0o700, exist_ok=True)
    owner = RUNTIME / "owner"
    with (RUNTIME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SiteError("another lab-real command is running on this machine; wait for it") from None
        # The lock lasts for a command, the lab for longer: addresses and namespaces exist once.
        if owner.exists() and owner.read_text() != str(layout.state):
            raise SiteError(f"{owner.read_text()} is a lab of this machine already; end it there first")
        layout.prepare()
        # Before anything is made, so that even a killed run says whose leftovers these are.
        owner.write_text(str(layout.state))
        yield


@dataclass(frozen=True)
class Site:
    """The LAN with its nodes, registry and clients."""

    layout: RealLayout
    parts: Parts
    machines: tuple[RealMachine, ...]

    @property
    def groups(self) -> Groups:
        """The cgroups of all its processes."""
        return Groups(self.parts.host)

    @property
    def nodes(self) -> Nodes:
        """What starts and ends nodes."""
        return Nodes(self.layout, self.groups, self.parts.rootfs, self.parts.tools["lab-node-init"])

    def start(self) -> list[str]:
        """Start whatever does not run; return what was done, a line each."""
        done = []
        # Groups come first: whatever starts later can then be found and ended by them.
        self.groups.prepare()
        lan_bridge.make((*self.machines, *CLIENTS))
        if not self.groups.running(SERVICES):
            self._start_registry()
            done.append(f"registry http://{GATEWAY}:{REGISTRY_PORT}")
        for machine in self.machines:
            if not self.nodes.running(machine):
                # A node that died left addresses and eBPF programs that its next boot would stumble over.
                lan_bridge.reset(machine)
                self.nodes.power_on(machine)
                done.append(f"node {machine.name} {machine.address} ({machine.mac})")
        return done

    def _start_registry(self) -> None:
        serve = (sys.executable, "-m", "lab.real.registry", str(self.parts.images.directory))
        command = lan_bridge.inside(lan_bridge.LAN, *serve, GATEWAY, str(REGISTRY_PORT))
        with self.layout.registry_log.open("ab") as log:
            subprocess.Popen(
                self.groups.joining(SERVICES, *command),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def clear(layout: RealLayout, machine: Host) -> list[str]:
    """End every process and remove every namespace, cgroup and file of the lab; return what was found."""
    found = []
    groups = Groups(machine)
    # Processes first, because they keep namespaces and mounts alive.
    if groups.end():
        found.append("processes")
    if namespaces := lan_bridge.existing():
        lan_bridge.remove(namespaces)
        found.append(f"network namespaces {' '.join(namespaces)}")
    if layout.state.exists():
        _remove_state(layout.state)
        found.append(str(layout.state))
    # Last: after an interruption this checkout still owns what is left, and can end it.
    (RUNTIME / "owner").unlink(missing_ok=True)
    return found


def _remove_state(state: Path) -> None:
    # The kernel takes apart a dead node's mount namespace after its last process is gone.
    for attempt in range(50):
        try:
            shutil.rmtree(state)
        except OSError:
            if attempt == 49:  # noqa: PLR2004 - the last attempt
                raise
            time.sleep(0.1)
        else:
            return
