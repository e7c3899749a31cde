"""One preview in a process of its own: `python -m lab.bench.child STATE lab|minimal`.

The interpreter's start and all imports belong to what a person waits for, so they are measured too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pulumi import automation

from lab import engine
from lab.layout import Layout

MINIMAL = "minimal"


def minimal_project(layout: Layout) -> Path:
    """Return the directory of the smallest project with the same engine and providers."""
    directory = layout.state / MINIMAL
    directory.mkdir(exist_ok=True)
    (directory / "Pulumi.yaml").write_text(f"name: {MINIMAL}\nruntime: python\n")
    return directory


def open_minimal(layout: Layout, kubeconfig: str) -> automation.Stack:
    """Return a stack with one Command, one provider and one Namespace."""
    # The same settings as the lab's own, or the ratio would compare settings and not programs.
    os.environ.update(engine.environment(layout))
    return automation.create_or_select_stack(
        stack_name=MINIMAL,
        project_name=MINIMAL,
        program=lambda: _program(kubeconfig),
        opts=automation.LocalWorkspaceOptions(
            work_dir=str(minimal_project(layout)), env_vars=engine.environment(layout)
        ),
    )


def _program(kubeconfig: str) -> None:
    import pulumi  # noqa: PLC0415 - inside the measured program, as in any Pulumi program
    import pulumi_kubernetes as k8s  # noqa: PLC0415
    from pulumi_command import local  # noqa: PLC0415

    local.Command("one", interpreter=["true"], create="one")
    provider = k8s.Provider("cluster", kubeconfig=kubeconfig, cluster_identifier=MINIMAL)
    k8s.core.v1.Namespace("one", metadata={"name": "bench"}, opts=pulumi.ResourceOptions(provider=provider))


def main(arguments: list[str]) -> int:
    """Preview the lab's stack or the minimal one; fail if it would change anything."""
    layout, which = Layout(Path(arguments[0])), arguments[1]
    stack = open_minimal(layout, sys.stdin.read()) if which == MINIMAL else engine.open_stack(layout)
    changes = stack.preview().change_summary
    # A preview that finds changes is no no-op: its time could not be compared.
    return 0 if {str(getattr(op, "value", op)) for op in changes} == {"same"} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
