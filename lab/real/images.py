"""The container images that the cluster pulls, under the names that Talos and the chart ask for.

Each is one layer around a built program; the agent's also has the distribution's clang, iptables and ipset,
as Cilium's own image has.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.real import closure, oci, packages, rootfs
from lab.tools import cache
from lab.tools.pins import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.real.tools import Tools
    from lab.tools.progress import Progress

HTTP = ("lab/http", "v1")
"""Repository and tag of the HTTP server behind the ingress Service; any registry name may stand before it."""

PAUSE_TAGS = ("3.10", "3.10.1", "3.10.2")
BUSYBOX = (
    *("sh", "mount", "umount", "ls", "cat", "cp", "mv", "rm", "mkdir", "chmod", "find", "grep", "basename"),
    *(
        "dirname",
        "nsenter",
        "du",
        "nice",
        "ionice",
        "blkid",
        "sleep",
        "true",
        "ps",
        "ip",
        "uname",
        "env",
        "tr",
    ),
)


@dataclass(frozen=True)
class Recipe:
    """How one image is made.

    Attributes:
        names: Repository and tag, several where it is asked for by several.
        tools: The built tools in it; a change of one recreates the image.
        fill: Puts the files into an empty tree that has the common directories.
        entrypoint: What runs without a command.
    """

    names: tuple[tuple[str, str], ...]
    tools: tuple[str, ...]
    fill: Callable[[Tools, Path], None]
    entrypoint: tuple[str, ...] = ()


def _program(repository: str, tool: str, entrypoint: tuple[str, ...] = ()) -> Recipe:
    def fill(tools: Tools, root: Path) -> None:
        closure.install(tools[tool], root, f"usr/bin/{tool}")
        (root / "usr/local/bin" / tool).symlink_to(f"/usr/bin/{tool}")

    return Recipe(((repository, BY_NAME[tool].version or HTTP[1]),), (tool,), fill, entrypoint)


def _fill_pause(tools: Tools, root: Path) -> None:
    closure.copy(tools["lab-http"], root / "usr/bin/lab-http")


def _fill_kubelet(tools: Tools, root: Path) -> None:
    closure.copy(tools["kubelet"], root / "usr/local/bin/kubelet")
    _add_busybox(root)
    (root / "run").mkdir()
    (root / "var").mkdir()
    # The kubelet and what talks to it use both paths, and must meet the same sockets under them.
    (root / "var/run").symlink_to("/run")


def _fill_agent(tools: Tools, root: Path) -> None:
    _add_busybox(root)
    for name in ("agent", "dbg", "health-responder", "mount", "sysctlfix"):
        closure.copy(tools[f"cilium-{name}"], root / f"usr/bin/cilium-{name}")
    closure.copy(tools["cilium-cni"], root / "opt/cni/bin/cilium-cni")
    closure.copy(tools["cni-loopback"], root / "cni/loopback")
    for tool, script in (
        ("cilium-cni-scripts", "install-plugin.sh"),
        ("cilium-cni-scripts", "cni-uninstall.sh"),
        ("cilium-image-scripts", "init-container.sh"),
    ):
        closure.copy(tools[tool] / script, root / script)
        # Files of the module cache have lost the executable bit.
        (root / script).chmod(0o755)
    shutil.copytree(tools["cilium-bpf"], root / "var/lib/cilium/bpf")
    closure.install(Path(packages.find("bash")), root, "usr/bin/bash")
    closure.install(Path(packages.find("ipset")), root, "usr/bin/ipset")
    rootfs.add_iptables(root)
    _add_clang(root)


def _add_clang(root: Path) -> None:
    compiler = Path(packages.find("clang-19")).resolve()
    closure.install(compiler, root, str(compiler.relative_to("/")))
    # The agent starts the compiler by this name; the distribution's has its version in it.
    (root / "usr/bin/clang").symlink_to(compiler)
    headers = compiler.parent.parent / "lib/clang/19/include"
    if headers.exists():
        shutil.copytree(headers, root / headers.relative_to("/"))


def _add_busybox(root: Path) -> None:
    closure.copy(Path(packages.find("busybox")), root / "usr/bin/busybox")
    for name in BUSYBOX:
        (root / "usr/bin" / name).symlink_to("busybox")


def _fill_coredns(tools: Tools, root: Path) -> None:
    closure.copy(tools["coredns"], root / "coredns")


COREDNS = "v1.14.2"
"""Version in `lab/go_modules/coredns/go.mod` and in Talos 1.13.0's own manifest."""

CILIUM = BY_NAME["cilium-agent"].version
RECIPES = (
    _program("etcd", "etcd"),
    _program("kube-apiserver", "kube-apiserver"),
    _program("kube-controller-manager", "kube-controller-manager"),
    _program("kube-scheduler", "kube-scheduler"),
    Recipe((("siderolabs/kubelet", BY_NAME["kubelet"].version),), ("kubelet",), _fill_kubelet),
    Recipe(
        tuple(("pause", tag) for tag in PAUSE_TAGS),
        ("lab-http",),
        _fill_pause,
        ("/usr/bin/lab-http", "pause"),
    ),
    Recipe((("coredns/coredns", COREDNS),), ("coredns",), _fill_coredns, ("/coredns",)),
    Recipe((HTTP,), ("lab-http",), _fill_pause, ("/usr/bin/lab-http",)),
    _program("cilium/operator-generic", "cilium-operator-generic"),
    Recipe(
        (("cilium/cilium", CILIUM),),
        (
            *("cilium-agent", "cilium-dbg", "cilium-cni", "cilium-health-responder", "cilium-mount"),
            *("cilium-sysctlfix", "cilium-bpf", "cilium-cni-scripts", "cilium-image-scripts", "cni-loopback"),
        ),
        _fill_agent,
    ),
)


def build(tools: Tools, told: Progress) -> oci.Store:
    """Return the store with all images, making those of which a part has changed."""
    store = oci.Store(cache.root() / "real" / "images")
    with cache.locked("images", lambda: told.wait("images", "waiting: another process makes them")):
        for recipe in RECIPES:
            _build_one(store, recipe, tools, told)
        store.prune()
    return store


def _build_one(store: oci.Store, recipe: Recipe, tools: Tools, told: Progress) -> None:
    title = "image " + ":".join(recipe.names[0])
    key = identity(recipe, tools)
    marker = store.directory / "made" / recipe.names[0][0].replace("/", "-")
    if marker.exists() and marker.read_text() == key:
        told.say(title, "cached")
        return
    told.start(title, "assembling")
    # In the cache, because /tmp is often in memory and the agent's tree has hundreds of megabytes.
    with tempfile.TemporaryDirectory(dir=cache.root()) as scratch:
        root = Path(scratch) / "root"
        _skeleton(root)
        recipe.fill(tools, root)
        store.add(oci.Image(root, recipe.names, recipe.entrypoint))
    marker.parent.mkdir(parents=True, exist_ok=True)
    # Last, so that an interrupted image is made again.
    marker.write_text(key)
    told.end(title, "assembled")


def _skeleton(root: Path) -> None:
    for name in ("usr/bin", "usr/lib", "usr/lib64", "usr/local/bin", "etc", "root"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").mkdir()
    # The mode of mkdir would be narrowed by the umask.
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin"):
        (root / name).symlink_to("usr/bin")
    for name in ("lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnobody:x:65534:\n")


def identity(recipe: Recipe, tools: Tools) -> str:
    """Return what an image is made of: tools (their paths hold digests), packages, and this code."""
    total = hashlib.sha256(packages.identity().encode())
    parts: Iterable[str] = (str(tools[name]) for name in recipe.tools)
    for part in (repr(recipe.names), *recipe.entrypoint, *parts):
        total.update(part.encode() + b"\0")
    for module in (__file__, closure.__file__, oci.__file__, rootfs.__file__):
        total.update(Path(str(module)).read_bytes())
    return total.hexdigest()
