"""`python -m tests`: every check of the project, one printed stage after the other (`make test` calls it).

Tools are built beside the stages that need none of them. A stage that fails does not keep the next from
running; the exit code is 1 if any failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
SOURCES = ("config.py", "__main__.py", "model", "components", "steps", "ops", "lab", "tests")
COVERED = ("config", "model", "components", "steps", "ops")


@dataclass(frozen=True)
class Stage:
    """One command and what it proves."""

    name: str
    command: tuple[str, ...]


def pytest(*arguments: str) -> tuple[str, ...]:
    """Return the command of a pytest run."""
    return (PYTHON, "-m", "pytest", "--quiet", *arguments)


WITHOUT_TOOLS = (
    Stage("lint", (PYTHON, "-m", "ruff", "check", ".")),
    Stage("format", (PYTHON, "-m", "ruff", "format", "--check", ".")),
    Stage("types", (PYTHON, "-m", "mypy", *SOURCES)),
    Stage(
        "unit and property tests",
        pytest(
            "tests/unit",
            "tests/property",
            *(f"--cov={package}" for package in COVERED),
            "--cov-branch",
            "--cov-report=term-missing:skip-covered",
            "--cov-fail-under=100",
        ),
    ),
)
TOOLS = Stage("tools", (PYTHON, "-m", "lab.tools"))
WITH_TOOLS = (
    Stage("Go tests of the simulator and the lab's plugins", (PYTHON, "-m", "lab.gotests")),
    Stage("golden files against real talosctl and the real chart", pytest("tests/golden")),
    Stage("engine tests", pytest("tests/engine")),
    Stage("the lab, end to end", pytest("tests/lab")),
)


def main(arguments: list[str]) -> int:
    """Run all stages, with `--fast` only those that need no tools; return 1 if any failed."""
    if arguments == ["--fast"]:
        results = [run(stage) for stage in WITHOUT_TOOLS]
        return 0 if all(result.passed for result in results) else 1
    builds = subprocess.Popen(TOOLS.command, cwd=ROOT)
    try:
        results = [run(stage) for stage in WITHOUT_TOOLS]
        results.append(run(TOOLS, builds))
        if results[-1].passed:
            results += [run(stage) for stage in WITH_TOOLS]
        else:
            results += [
                Result(stage, passed=False, seconds=0, note="not run: tools are missing")
                for stage in WITH_TOOLS
            ]
    finally:
        if builds.poll() is None:
            builds.terminate()
            builds.wait()
    print("\n== summary", flush=True)
    for result in results:
        print(result)
    return 0 if all(result.passed for result in results) else 1


@dataclass(frozen=True)
class Result:
    """How a stage ended."""

    stage: Stage
    passed: bool
    seconds: float
    note: str = ""

    def __str__(self) -> str:
        """One line of the summary."""
        verdict = "pass" if self.passed else "FAIL"
        return f"{verdict} {self.seconds:7.1f} s  {self.stage.name} {self.note}".rstrip()


def run(stage: Stage, process: subprocess.Popen[bytes] | None = None) -> Result:
    """Run a stage, or wait for the one that was started before."""
    print(f"\n== {stage.name}", flush=True)
    began = time.monotonic()
    code = (process or subprocess.Popen(stage.command, cwd=ROOT)).wait()
    result = Result(stage, passed=code == 0, seconds=time.monotonic() - began)
    print(result, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
