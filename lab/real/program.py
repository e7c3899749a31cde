"""The unchanged program with stack `lab-real`: its project directory and the engine.

What runs here runs inside the LAN's network namespace, where the nodes can be reached.
"""

from __future__ import annotations

import os
import runpy
import secrets
import sys
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml
from pulumi import automation

from lab import engine
from lab.layout import PROGRAM, PROJECT, REPOSITORY
from lab.parts_table import install_plugins
from lab.project import link, link_tools, replace, write_private
from lab.real import packages
from lab.real.real_layout import STACK
from lab.tools import provider_plugins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.real.real_layout import RealLayout
    from lab.real.stations import RealMachine
    from lab.real.tools import Tools

TOOLS = ("pulumi", "talosctl", "kubectl", "helm")
KEPT = ("encryptionsalt", "secretsprovider")
"""What the engine writes into a stack file: it belongs to this lab's passphrase."""

SHARED_DISK = {
    "machine": {
        "kubelet": {
            "extraConfig": {
                "evictionHard": {
                    "memory.available": "100Mi",
                    **dict.fromkeys(("nodefs.available", "nodefs.inodesFree"), "0%"),
                    **dict.fromkeys(("imagefs.available", "imagefs.inodesFree"), "0%"),
                },
                "imageGCHighThresholdPercent": 100,
            },
        },
    },
}
"""Talos patch for nodes on this machine's disk: how full that is says nothing about a node.

By default kubelet takes no pod on a disk that is nine tenths full, and deletes images a little earlier.
"""

SMALL_HOST = {
    "machine": {
        "kubelet": {
            "extraConfig": {"oomScoreAdj": 0, "cgroupsPerQOS": False, "enforceNodeAllocatable": ["none"]},
        },
    },
}
"""Talos patch for machines without CAP_SYS_RESOURCE or cgroup v2 controllers: kubelet asks for neither."""


def assemble(layout: RealLayout, machines: Sequence[RealMachine], tools: Tools, *, deviates: bool) -> None:
    """Write or refresh the project directory, the tools on PATH and the plugins."""
    layout.project.mkdir(exist_ok=True)
    for name in PROGRAM:
        link(layout.project / name, REPOSITORY / name)
    (layout.project / "charts").mkdir(exist_ok=True)
    link(layout.project / "charts" / "cilium", tools["cilium-chart"])
    link_tools(layout, {name: tools[name] for name in TOOLS})
    base = yaml.safe_load((REPOSITORY / f"Pulumi.{STACK}.yaml").read_text())
    write_stack(layout, stack_document(base, machines, deviates=deviates))
    if not layout.passphrase.exists():
        write_private(layout.passphrase, secrets.token_urlsafe(32))
    # Downloads happen here, outside the LAN's namespace, from which nothing leads outside.
    install_plugins(layout.pulumi_home, provider_plugins.find(tools["pulumi"]))


def stack_document(
    base: dict[str, Any], machines: Sequence[RealMachine], *, deviates: bool
) -> dict[str, Any]:
    """Return the stack file with these nodes and with kubelet's settings for this machine."""
    document = deepcopy(base)
    cluster = document["config"]["homelab:cluster"]
    cluster["nodes"] = [
        {
            "name": machine.name,
            "role": machine.role,
            "address": machine.address,
            "interface": {"name": "eth0"},
            "disk": "/dev/vda",
        }
        for machine in machines
    ]
    cluster["talos"]["patches"]["all"].extend([SHARED_DISK, *([SMALL_HOST] if deviates else [])])
    return document


def with_policy(document: dict[str, Any], policy: str) -> dict[str, Any]:
    """Return a stack file whose ingress Service has this external traffic policy."""
    changed = deepcopy(document)
    changed["config"]["homelab:cluster"]["ingress"]["externalTrafficPolicy"] = policy
    return changed


def write_stack(layout: RealLayout, document: dict[str, Any]) -> None:
    """Write the stack file; the salt of an existing one is kept."""
    if layout.stack_file.exists():
        there = yaml.safe_load(layout.stack_file.read_text())
        document = document | {key: there[key] for key in KEPT if key in there}
    replace(layout.stack_file, yaml.safe_dump(document, sort_keys=False))


def read_stack(layout: RealLayout) -> dict[str, Any]:
    """Return the stack file as it is."""
    document: dict[str, Any] = yaml.safe_load(layout.stack_file.read_text())
    return document


def open_stack(layout: RealLayout) -> automation.Stack:
    """Select stack `lab-real`, or create it on the lab's own file backend."""
    layout.backend.mkdir(exist_ok=True)
    # The system's directories too, because root's PATH under sudo may lack them.
    variables = engine.environment(layout) | {
        "PATH": f"{layout.tools}{os.pathsep}{packages.path()}",
    }
    os.environ.update(variables)  # the API looks for `pulumi` on this process's own PATH
    return automation.create_or_select_stack(
        stack_name=STACK,
        project_name=PROJECT,
        program=lambda: _run(layout),
        opts=automation.LocalWorkspaceOptions(work_dir=str(layout.project), env_vars=variables),
    )


def _run(layout: RealLayout) -> None:
    if str(layout.project) not in sys.path:
        sys.path.insert(0, str(layout.project))
    runpy.run_path(str(layout.project / "__main__.py"), run_name="__main__")
