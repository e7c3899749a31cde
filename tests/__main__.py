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
SOURCES = ("config.py", "__main__.py", "model", "components", "clients", "steps", "ops", "lab", "tests")
COVERED = ("config", "model", "components", "clients", "steps", "ops")


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
TOOLS = Stage("tools of the lab", (PYTHON, "-m", "lab.tools"))
MORE_TOOLS = Stage(
    "tools that only tests need",
    (PYTHON, "-m", "lab.tools", "kustomize-controller", "flux-kinds", "flux-source-kinds", "gateway-kinds"),
)
WITH_TOOLS = (
    Stage("Go tests of the simulator and the lab's plugins", (PYTHON, "-m", "lab.gotests")),
    Stage("golden files against real talosctl and the real chart", pytest("tests/golden")),
    Stage("engine tests", pytest("tests/engine")),
)
WITH_MORE_TOOLS = (
    Stage("the lab, end to end", pytest("tests/lab")),
    Stage("the lab on real parts (skipped with the reason where it cannot run)", pytest("tests/real")),
)


def main(arguments: list[str]) -> int:
    """Run all stages, with `--fast` only those that need no tools; return 1 if any failed."""
    results = [run(stage) for stage in WITHOUT_TOOLS] if arguments == ["--fast"] else run_all()
    print("\n== summary", flush=True)
    for result in results:
        print(result)
    return 0 if all(result.passed for result in results) else 1


def run_all() -> list[StageResult]:
    """Run every stage; what a stage needs is built beside the stages that do not need it."""
    tools = start(TOOLS)
    try:
        results = [run(stage) for stage in WITHOUT_TOOLS]
        results.append(run(TOOLS, tools))
    finally:
        end(tools)
    if not results[-1].passed:
        left = (*WITH_TOOLS, MORE_TOOLS, *WITH_MORE_TOOLS)
        return results + [
            StageResult(stage, passed=False, seconds=0, note="not run: tools are missing") for stage in left
        ]
    more = start(MORE_TOOLS)
    try:
        results += [run(stage) for stage in WITH_TOOLS]
        results.append(run(MORE_TOOLS, more))
    finally:
        end(more)
    return results + [run(stage) for stage in WITH_MORE_TOOLS]


def start(stage: Stage) -> subprocess.Popen[bytes]:
    """Start a stage beside others."""
    return subprocess.Popen(stage.command, cwd=ROOT)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a stage that was started, if it still runs: something else has failed."""
    if process.poll() is None:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class StageResult:
    """How a stage ended."""

    stage: Stage
    passed: bool
    seconds: float
    note: str = ""

    def __str__(self) -> str:
        """One line of the summary."""
        verdict = "pass" if self.passed else "FAIL"
        return f"{verdict} {self.seconds:7.1f} s  {self.stage.name} {self.note}".rstrip()


def run(stage: Stage, process: subprocess.Popen[bytes] | None = None) -> StageResult:
    """Run a stage, or wait for the one that was started before."""
    print(f"\n== {stage.name}", flush=True)
    began = time.monotonic()
    code = (process or start(stage)).wait()
    result = StageResult(stage, passed=code == 0, seconds=time.monotonic() - began)
    print(result, flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
