"""The root file system of a Talos node in a container, assembled from built and distribution programs.

The same tree as Talos's own container image has: `machined` as /sbin/init, containerd with runc, and the
empty files and directories on which Talos mounts what it writes.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab.real import closure, packages
from lab.tools import cache

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.real.host import Host
    from lab.real.tools import Tools

LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/bin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "usr/sbin": "bin",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/pki": "/etc/ssl",
    "etc/ca-certificates": "/etc/ssl",
    "etc/ssl/certs/ca-certificates": "ca-certificates.crt",
}
DIRECTORIES = (
    *("proc", "sys", "dev", "run", "system", "tmp", "var", "root", "mnt", "boot/EFI", ".extra"),
    *("opt/cni/bin", "opt/containerd/bin", "opt/containerd/lib", "usr/bin", "usr/lib", "usr/lib64"),
    *("usr/lib/firmware", "usr/lib/modules", "usr/lib/udev/rules.d", "usr/share/spdx"),
    *("usr/libexec/kubernetes", "usr/local/lib/kubelet/credentialproviders", "usr/local/share", "usr/etc"),
    *(
        "etc/kubernetes/manifests",
        "etc/cni/net.d",
        "etc/cri/conf.d/hosts",
        "etc/lvm",
        "etc/iscsi",
        "etc/nvme",
    ),
    *("etc/selinux/targeted/contexts/files", "etc/ssl/certs", "etc/containerd", "usr/share/zoneinfo/Etc"),
)
EMPTY = (
    *("etc/extensions.yaml", "etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/machine-id"),
    *("etc/iscsi/initiatorname.iscsi", "etc/nvme/hostid", "etc/nvme/hostnqn"),
    *("etc/cri/conf.d/cri.toml", "etc/cri/conf.d/01-registries.part", "etc/cri/conf.d/base-spec.json"),
    *("etc/cri/conf.d/20-customization.part", "etc/selinux/targeted/contexts/files/file_contexts"),
)
"""Talos binds its own files over these: it does not make them on a read-only root."""

TALOS_FILES = {
    "nfsmount.conf": "etc/nfsmount.conf",
    "containerd.toml": "etc/containerd/config.toml",
    "cri-containerd.toml": "etc/cri/containerd.toml",
    "cri-plugin.part": "etc/cri/conf.d/00-base.part",
}
"""Files of Talos's `hack` directory, and where its image has them."""

PROGRAMS = ("nft", "mount", "umount", "losetup")
IPTABLES = (
    "iptables",
    "iptables-save",
    "iptables-restore",
    "ip6tables",
    "ip6tables-save",
    "ip6tables-restore",
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def assemble(host: Host, tools: Tools) -> Path:
    """Return the root file system for this machine, assembled once for each set of parts."""
    parts = [
        tools[n] for n in ("machined", "containerd", "containerd-shim-runc-v2", "talos-hack", "lab-runc")
    ]
    target = cache.root() / "real" / f"rootfs-{digest(host, parts)}"
    with cache.locked("rootfs", lambda: None):
        if not target.exists():
            with cache.publishing(target) as temporary:
                _fill(host, tools, temporary)
    return target


def digest(host: Host, parts: Iterable[Path]) -> str:
    """Return a name for what goes into the tree: tools (their paths hold digests), packages, this code."""
    total = hashlib.sha256(f"{host.deviates} {packages.identity()}".encode())
    for part in parts:
        total.update(str(part).encode() + b"\0")
    for source in (Path(__file__), Path(closure.__file__)):
        total.update(source.read_bytes())
    return total.hexdigest()[:12]


def _fill(host: Host, tools: Tools, root: Path) -> None:
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    for name in EMPTY:
        (root / name).touch()
    (root / "usr/etc/in-container").write_text("true\n")
    _add_talos(tools, root)
    _add_runc(host, tools, root)
    _add_distribution(root)


def _add_talos(tools: Tools, root: Path) -> None:
    closure.copy(tools["machined"], root / "usr/bin/init")
    for name in ("poweroff", "shutdown", "dashboard"):
        # machined decides by the name it was called with; Talos's own image has the same names.
        (root / "usr/bin" / name).hardlink_to(root / "usr/bin/init")
    for name in ("containerd", "containerd-shim-runc-v2"):
        closure.copy(tools[name], root / "usr/bin" / name)
    closure.copy(tools["cni-loopback"], root / "opt/cni/bin/loopback")
    for name, place in TALOS_FILES.items():
        closure.copy(tools["talos-hack"] / name, root / place)
    part = root / TALOS_FILES["cri-plugin.part"]
    part.write_text(without_base_spec(part.read_text()))
    closure.copy(tools["talos-version"] / "os-release", root / "etc/os-release")


def without_base_spec(part: str) -> str:
    """Return the containerd settings without the file of runtime defaults.

    Talos writes that file while containerd starts. On a busy machine containerd reads it empty, goes on
    without its Kubernetes service, and the node never gets a kubelet. Its built-in defaults do as well.
    """
    return "".join(line for line in part.splitlines(keepends=True) if "base_runtime_spec" not in line)


def _add_runc(host: Host, tools: Tools, root: Path) -> None:
    # containerd starts `runc`: the wrapper takes that name and calls the other.
    real = "runc.real" if host.deviates else "runc"
    closure.install(Path(packages.find("runc")), root, f"usr/bin/{real}")
    if host.deviates:
        closure.copy(tools["lab-runc"], root / "usr/bin/runc")


def _add_distribution(root: Path) -> None:
    for name in PROGRAMS:
        closure.install(Path(packages.find(name)), root, f"usr/bin/{name}")
    add_iptables(root)
    closure.copy(CERTIFICATES.resolve(), root / "etc/ssl/certs/ca-certificates.crt")
    zone = Path("/usr/share/zoneinfo/Etc/UTC")
    if zone.exists():
        closure.copy(zone.resolve(), root / "usr/share/zoneinfo/Etc/UTC")


def add_iptables(root: Path) -> None:
    """Add iptables over nftables: one program under many names, and its extensions."""
    multi = Path(packages.find("iptables")).resolve().with_name("xtables-nft-multi")
    closure.install(multi, root, "usr/bin/xtables-nft-multi")
    for name in IPTABLES:
        (root / "usr/bin" / name).symlink_to("xtables-nft-multi")
    # The directory between is named after the architecture.
    extensions = next(Path("/usr/lib").glob("*/xtables"))
    shutil.copytree(extensions, closure.inside(root, extensions))
    closure.bring_libraries(sorted(extensions.glob("*.so"))[:1], root)
