"""A fresh project directory with the real engine and both plugins, and nothing else: no node, no talosctl."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lab import engine, inventory, parts_table, project
from lab.layout import Layout
from lab.tools import ensure, provider_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pulumi import automation


@dataclass
class Project:
    """A stack of the program, and what the engine said about it."""

    layout: Layout
    said: list[str] = field(default_factory=list)

    @property
    def stack(self) -> automation.Stack:
        """The stack, selected or created."""
        return engine.open_stack(self.layout)

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the cluster's config in the stack file."""
        document = yaml.safe_load(self.layout.stack_file.read_text())
        change(document["config"]["homelab:cluster"])
        self.layout.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))

    def text(self) -> str:
        """Everything that the engine printed."""
        return "\n".join(self.said)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project of the lab's default stack; PATH has the engine, Python and what the system needs."""
    pulumi = ensure(["pulumi"])["pulumi"]
    found = provider_plugins.find(pulumi)
    with tempfile.TemporaryDirectory(prefix="engine-") as scratch:
        layout = Layout(Path(scratch) / "state")
        project.link_tools(layout, {"pulumi": pulumi})
        project.assemble(layout, inventory.parse_nodes("1", "40"), chart=Path(scratch))
        parts_table.install_plugins(layout.pulumi_home, found)
        for name in engine.environment(layout):
            monkeypatch.setenv(name, os.environ.get(name, ""))  # restored at the end
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        monkeypatch.setenv("HOME", scratch)
        yield Project(layout)
