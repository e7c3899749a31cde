"""The real Pulumi engine on the lab's project: Automation API, the program run inline and unchanged."""

from __future__ import annotations

import os
import runpy
import sys
from typing import TYPE_CHECKING

from pulumi import automation

from lab.layout import PROJECT, STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.layout import Layout


PARALLEL = 64
"""Operations of the engine at a time; its default, four per core, lets nodes boot in batches of eight."""


def environment(layout: Layout) -> dict[str, str]:
    """Variables that keep the engine inside the lab: its own home, backend and passphrase, no downloads."""
    return {
        "PULUMI_HOME": str(layout.pulumi_home),
        # Without a file of attributes beside each file: that one is not replaced atomically, and where a kill
        # leaves it empty, the state cannot be read any more ("failed to load checkpoint: EOF").
        "PULUMI_BACKEND_URL": f"{layout.backend.as_uri()}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(layout.passphrase),
        "PULUMI_PARALLEL": str(PARALLEL),
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",  # a copy of the whole state at every step
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",  # the table of parts names what the engine uses
        "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",  # `lab.tools` has checked it
        "PATH": f"{layout.tools}{os.pathsep}{os.environ['PATH']}",
    }


def open_stack(layout: Layout) -> automation.Stack:
    """Select stack `lab`, or create it on the file backend."""
    layout.backend.mkdir(exist_ok=True)
    os.environ.update(environment(layout))  # the API looks for `pulumi` on this process's own PATH
    return automation.create_or_select_stack(
        stack_name=STACK,
        project_name=PROJECT,
        # Inline rather than by a language host: no second interpreter has to find the packages.
        program=lambda: _run_program(layout),
        opts=automation.LocalWorkspaceOptions(work_dir=str(layout.project), env_vars=environment(layout)),
    )


def _run_program(layout: Layout) -> None:
    # The program imports its modules from beside it, as `pulumi up` in that directory has them do.
    if str(layout.project) not in sys.path:
        sys.path.insert(0, str(layout.project))
    runpy.run_path(str(layout.project / "__main__.py"), run_name="__main__")


def recover(layout: Layout, stack: automation.Stack) -> Iterator[str]:
    """Clear what a killed run left behind; yield a line for each thing that was done.

    The caller holds the lab's lock, so a lock in the backend can only be a dead run's.
    """
    # First: the engine refuses to refresh while a lock lies there.
    if any(layout.backend.glob(".pulumi/locks/**/*.json")):
        stack.cancel()
        yield "removed the lock of an interrupted run"
    pending = (stack.export_stack().deployment or {}).get("pending_operations") or []
    if pending:
        # Clearing needs a refresh: of the root only, since the cluster may not answer.
        stack.refresh(clear_pending_creates=True, target=[_first_urn(stack)], show_secrets=False)
        yield f"{len(pending)} operation(s) had been interrupted; their steps look first and run again"


def _first_urn(stack: automation.Stack) -> str:
    resources = (stack.export_stack().deployment or {}).get("resources") or [{}]
    return str(resources[0].get("urn", ""))
