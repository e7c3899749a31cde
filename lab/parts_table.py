"""The tools of one lab run, and which of its parts are real."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.project import link
from lab.tools import cache, provide, provider_plugins

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHART = "cilium-chart"
OPERATOR = "cilium-operator-generic"
PROGRAMS = (
    "pulumi",
    "talosctl",
    "talos-sim",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "kubectl",
    "helm",
    OPERATOR,
)
SIMULATOR_RUNS = {
    "etcd": "etcd",
    "kube-apiserver": "kube-apiserver",
    "kube-controller-manager": "kube-controller-manager",
    "kube-scheduler": "kube-scheduler",
    "kwok": "kwok",
    "cilium-operator": OPERATOR,
}
"""Real programs that the simulator starts: its name for each, and the tool's."""

PARTS = (
    ("program, stack config", "real: this repository, unchanged"),
    ("Pulumi engine, talosctl, Helm", "real"),
    ("etcd, API server, controllers", "real, started by the simulated control planes"),
    ("Cilium chart, operator, LB-IPAM", "real"),
    ("Talos nodes", "SIMULATED: real machine API, no kernel, disk or network behind it"),
    ("kubelet, pods", "SIMULATED: registered by the simulator, pods by kwok"),
    ("Cilium agent", "NOT RUN: no eBPF, no ARP answer, no lease"),
)
STAND_IN = "STAND-IN of the lab (lab/plugins/README.md); LAB_RETRY_PLUGINS=1 tries the real one again"


@dataclass(frozen=True)
class Toolset:
    """Paths of everything a run needs."""

    binaries: Mapping[str, Path]
    chart: Path
    plugins: Mapping[str, provider_plugins.Plugin]

    def table(self) -> str:
        """Return the parts of the lab, a line each, with what is real."""
        providers = [
            (f"Pulumi plugin {plugin.name} {plugin.version}", plugin.origin)
            for plugin in self.plugins.values()
        ]
        return "\n".join(f"  {part:<34}{kind}" for part, kind in (*PARTS, *providers))

    def simulator_binaries(self) -> dict[str, str]:
        """Return what the simulator may start."""
        return {name: str(self.binaries[tool]) for name, tool in SIMULATOR_RUNS.items()}


def cache_directory() -> Path:
    """Where tools are kept between runs."""
    return cache.root()


def collect() -> Toolset:
    """Find or build everything.

    Raises:
        ToolsError: tools are missing; the text has a line for each.
    """
    found = provide()
    binaries = {name: found.tools[name] for name in PROGRAMS}
    return Toolset(binaries, found.tools[CHART], found.plugins)


def install_plugins(pulumi_home: Path, found: Mapping[str, provider_plugins.Plugin]) -> None:
    """Show the engine one plugin of each kind, in the exact version that the SDK asks for."""
    for plugin in found.values():
        directory = pulumi_home / "plugins" / plugin.directory
        directory.mkdir(parents=True, exist_ok=True)
        link(directory / plugin.path.name, plugin.path)
