"""What this machine can do: whether the real lab may run here, and in which points it deviates."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CAP_SYS_RESOURCE = 24
CONTROLLERS = frozenset({"cpu", "memory", "pids"})
"""Controllers of cgroup v2 that kubelet and runc need for limits."""

LINKS = (
    "link add name lab0 type bridge",
    "link add name lab1 type veth peer name lab2",
    "link add name lab3 type vxlan id 1 dstport 8472 dev lab1",
)
"""The kinds of links that the lab and Cilium make; tried in a network namespace that ends with the try."""


class Unsuitable(RuntimeError):  # noqa: N818 - a verdict on the machine, not a fault of the program
    """The real lab cannot run here; the message says why, a line per reason."""


@dataclass(frozen=True)
class Host:
    """Facts about the machine.

    Attributes:
        cgroup2: Where the unified hierarchy is mounted.
        sys_resource: Whether root may lower OOM scores and raise limits (CAP_SYS_RESOURCE).
        controllers: Whether cgroup v2 has the controllers that kubelet needs.
        memory1: The memory controller of cgroup v1, None where cgroup v2 has it.
    """

    cgroup2: Path
    sys_resource: bool
    controllers: bool
    memory1: Path | None = None

    @property
    def deviates(self) -> bool:
        """Whether containers need the runc wrapper and kubelet its settings for such machines."""
        return not (self.sys_resource and self.controllers)

    def deviations(self) -> list[str]:
        """Return a line for each thing that is done only because this machine deviates."""
        lines = []
        if not self.sys_resource:
            lines.append("no CAP_SYS_RESOURCE: machined is built to accept a refused OOM score")
        if not self.controllers:
            lines.append("cgroup v2 without cpu, memory and pids: limits of pods are not enforced")
        if self.deviates:
            lines.append("runc behind a wrapper that leaves out what the kernel refuses")
            lines.append("kubelet: oomScoreAdj 0, no cgroups per QoS class, nothing reserved")
        return lines


def inspect() -> Host:
    """Return the facts about this machine.

    Raises:
        Unsuitable: the real lab cannot run here.
    """
    reasons = list(_reasons())
    mounts = Path("/proc/self/mounts").read_text() if not reasons else ""
    cgroup2 = mount_point(mounts, "cgroup2")
    if not reasons and cgroup2 is None:
        reasons.append("no cgroup v2 file system is mounted")
    if reasons or cgroup2 is None:
        raise Unsuitable("\n".join(reasons))
    memory1 = mount_point(mounts, "cgroup", "memory")
    status = Path("/proc/self/status").read_text()
    controllers = set((cgroup2 / "cgroup.controllers").read_text().split())
    return Host(cgroup2, has_capability(status, CAP_SYS_RESOURCE), controllers >= CONTROLLERS, memory1)


def _reasons() -> list[str]:
    if sys.platform != "linux":
        return ["needs Linux: nodes are namespaces of its kernel"]
    if os.geteuid() != 0:
        return ["needs root: it makes namespaces, mounts and bridges; run it with sudo"]
    reasons = []
    if not Path("/sys/kernel/btf/vmlinux").exists():
        reasons.append("the kernel has no type information (CONFIG_DEBUG_INFO_BTF), which Cilium needs")
    # Tried rather than looked up: a kernel may have the module and a container still forbid it.
    tried = subprocess.run(
        ["unshare", "--net", "ip", "-batch", "-"],
        input="\n".join(LINKS),
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        said = " ".join(tried.stderr.split())
        reasons.append(f"the kernel refuses a network namespace with bridge, veth and vxlan: {said}")
    return reasons


def mount_point(mounts: str, kind: str, option: str = "") -> Path | None:
    """Return the first mount point of a file system kind (with a mount option) in `/proc/self/mounts`."""
    for line in mounts.splitlines():
        _, point, found, options, *_ = line.split(" ")
        # Options are compared whole: a controller's name can be a part of another's.
        if found == kind and (not option or option in options.split(",")):
            return Path(point)
    return None


def has_capability(status: str, number: int) -> bool:
    """Tell whether `/proc/PID/status` shows an effective capability."""
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> number & 1)
