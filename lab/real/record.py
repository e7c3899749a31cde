"""The report of a run: every claim as it is examined, and a file for tests and the README's table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from lab.project import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lab.real.proof.subject import Subject
    from lab.real.real_layout import RealLayout


@dataclass(frozen=True)
class Check:
    """One claim and what the cluster said."""

    claim: str
    passed: bool
    evidence: str

    def __str__(self) -> str:
        """One or more lines for a terminal."""
        lines = self.evidence.strip().splitlines() or ["(nothing)"]
        return "\n".join(
            [f"{'ok  ' if self.passed else 'FAIL'} {self.claim}", *(f"       {line}" for line in lines)]
        )


@dataclass
class RunRecord:
    """Collects claims and seconds, prints each at once and writes them after each step.

    Attributes:
        layout: Where the report lies.
        say: Prints a line.
        section: What is examined; a later run of it replaces its part of the report.
    """

    layout: RealLayout
    say: Callable[[str], None]
    section: str
    checks: list[dict[str, object]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def take(self, checks: Iterable[Check], subject: Subject) -> None:
        """Examine claims one after the other."""
        for check in checks:
            # Printed and written one by one: after a failure in the middle, what was seen before is kept.
            self.say(str(check))
            self.checks.append(asdict(check))
            self.seconds |= subject.seconds
            self._write()

    def ran(self, command: str, seconds: float) -> None:
        """Note how long the engine's first run of a command in this section took."""
        # A later run in the section switches a policy, which is not what the figure is about.
        self.seconds.setdefault(f"{self.section}: pulumi {command}", seconds)
        self._write()

    def finish(self, subject: Subject) -> int:
        """Print what was measured; return 1 if a claim did not hold, else 0."""
        peak = subject.nodes.groups.peak()
        if peak is not None:
            self.seconds["peak memory of all nodes, GiB"] = round(peak / 2**30, 2)
        self._write()
        for name, value in self.seconds.items():
            self.say(f"{value:>8} {name}")
        failed = [str(check["claim"]) for check in self.checks if not check["passed"]]
        self.say(f"\n{len(self.checks) - len(failed)} of {len(self.checks)} claims hold")
        for claim in failed:
            self.say(f"FAIL {claim}")
        return 1 if failed else 0

    def _write(self) -> None:
        report = json.loads(self.layout.evidence.read_text()) if self.layout.evidence.exists() else {}
        # The other sections stay, since `up` and `prove` are separate commands with one report.
        report[self.section] = {"checks": self.checks, "seconds": self.seconds}
        replace(self.layout.evidence, json.dumps(report, indent=2))
