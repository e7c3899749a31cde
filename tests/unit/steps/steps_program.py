"""The step runner as Pulumi runs it: a process of its own, a talosctl of ours on PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[3]
VERSION = {"stdout": "Client:\nTalos v1.13.0\n"}


@dataclass(frozen=True)
class Program:
    """A folder with a fake talosctl, and how to run steps with it."""

    folder: Path

    def answers(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        """Say what talosctl does, by its first words."""
        (self.folder / "FAKE.json").write_text(json.dumps({"version": VERSION, **answers}))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Return what talosctl was given."""
        file = self.folder / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def path(self) -> str:
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    def start(self, step: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start a step as the provider does: fixed interpreter, the project as current directory."""
        return subprocess.Popen(
            [sys.executable, "-IS", "steps", step],
            cwd=ROOT,
            env={"PATH": self.path, "HOME": str(self.folder), "STEP_TIMEOUT": "60", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, step: str, environment: Mapping[str, str], secrets: Mapping[str, str] | str = ""
    ) -> tuple[int, str, str]:
        """Return exit status, stdout and stderr of a step."""
        process = self.start(step, environment)
        stdin = secrets if isinstance(secrets, str) else json.dumps(secrets)
        stdout, stderr = process.communicate(stdin, timeout=60)
        return process.returncode, stdout, stderr


def make_program(folder: Path) -> Program:
    """Return a program whose talosctl is the fake one."""
    talosctl = folder / "talosctl"
    source = (Path(__file__).parent / "steps_fake_talosctl.py").read_text()
    talosctl.write_text(f"#!{sys.executable}\n{source}")
    talosctl.chmod(0o755)
    program = Program(folder)
    program.answers({})
    assert shutil.which("talosctl", path=program.path) == str(talosctl)
    return program
