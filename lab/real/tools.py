"""Everything the real lab runs that is built from Go modules."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tools import ToolsError, cache, ensure, golang
from lab.tools.pins import BY_NAME, LAB
from lab.tools.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.real.host import Host

NODE = (
    "containerd",
    "containerd-shim-runc-v2",
    "cni-loopback",
    "talos-hack",
    "talos-version",
    "lab-node-init",
    "lab-runc",
    "lab-http",
)
KUBERNETES = ("etcd", "kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "coredns")
CILIUM = (
    "cilium-agent",
    "cilium-dbg",
    "cilium-cni",
    "cilium-health-responder",
    "cilium-mount",
    "cilium-sysctlfix",
    "cilium-bpf",
    "cilium-cni-scripts",
    "cilium-image-scripts",
    "cilium-operator-generic",
)
PROGRAM = ("pulumi", "talosctl", "kubectl", "helm", "cilium-chart")

MACHINED = "machined"
TALOS = "github.com/siderolabs/talos"
PATCHED_FILE = "internal/app/machined/pkg/system/runner/process/process.go"
REFUSED = "pathError.Err != syscall.ENOENT"
TOLERATED = f"({REFUSED} && pathError.Err != syscall.EACCES)"
"""Without CAP_SYS_RESOURCE the kernel answers EACCES when a service's OOM score is lowered, and Talos would
restart each service for ever. Nothing else is changed, and only on machines without the capability."""


@dataclass(frozen=True)
class Tools:
    """Paths of the tools by name; `machined` is the one that fits this machine."""

    paths: Mapping[str, Path]

    def __getitem__(self, name: str) -> Path:
        return self.paths[name]


def collect(host: Host) -> Tools:
    """Find or build everything.

    Raises:
        ToolsError: something is not available; a line for each.
    """
    names = [*PROGRAM, *NODE, *KUBERNETES, *CILIUM]
    if host.sys_resource:
        return Tools(dict(ensure([*names, MACHINED])))
    found = dict(ensure(names))
    found[MACHINED] = _tolerant_machined(Progress())
    return Tools(found)


def _tolerant_machined(told: Progress) -> Path:
    spec = BY_NAME[MACHINED]
    # Under a name of its own: a machine with the capability must never get the patched one.
    target = cache.entry(spec).parent.with_name(f"{spec.version}-{cache.digest(spec)}-oom") / MACHINED
    title = f"{spec.title} (OOM score)"
    if target.exists():
        told.say(title, "cached")
        return target
    with cache.locked(spec.module_dir, lambda: told.wait(title, "waiting: another process builds")):
        told.start(title, "building from its Go module")
        outcome = "failed"
        try:
            with cache.publishing(target) as temporary:
                _build_patched(LAB / spec.module_dir, spec.package, temporary)
            outcome = "built"
        finally:
            told.end(title, outcome)
    return target


def _build_patched(module: Path, package: str, output: Path) -> None:
    go = golang.find(Progress())
    source = output.parent / ".source"
    # An interrupted build leaves its copy, and no new one can be made over it.
    shutil.rmtree(source, ignore_errors=True)
    original = Path(_go(go, module, "list", "-m", "-f", "{{.Dir}}", TALOS).strip())
    # Without go.mod of its own tree's submodules: the published pkg/machinery is used, as for talosctl.
    shutil.copytree(original, source / "talos", copy_function=_writable)
    patch(source / "talos" / PATCHED_FILE)
    modfile = source / "go.mod"
    for name in ("go.mod", "go.sum"):
        shutil.copy(module / name, source / name)
    _go(go, module, "mod", "edit", f"-replace={TALOS}={source / 'talos'}", str(modfile))
    flags = ("-p", str(os.cpu_count() or 2), "-ldflags=-s -w", f"-modfile={modfile}")
    _go(go, module, "build", *flags, "-o", str(output), package)
    shutil.rmtree(source)


def _writable(source: str, target: str) -> str:
    # Without its mode: files of the module cache are read-only, and this copy is edited.
    shutil.copyfile(source, target)
    return target


def patch(file: Path) -> None:
    """Make machined tolerate a refused OOM score.

    Raises:
        ToolsError: the source is not as expected, so that nothing is built by mistake.
    """
    text = file.read_text()
    # Twice would be as bad as never: the wrong condition might be changed.
    if text.count(REFUSED) != 1:
        raise ToolsError(f"{PATCHED_FILE} of Talos is not as expected: the OOM score cannot be patched")
    file.write_text(text.replace(REFUSED, TOLERATED))


def _go(go: Path, module: Path, *arguments: str) -> str:
    done = subprocess.run(
        [go, *arguments],
        cwd=module,
        env=golang.environment(dict(os.environ)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise ToolsError(f"go {arguments[0]} for the patched machined failed:\n{last}")
    return done.stdout
