"""One table for all of ops: a line per check with its verdict and the evidence for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ALL_PASS, SOME_FAIL, CANNOT_CHECK = 0, 1, 2
"""Exit statuses: nothing failed; a check failed; the check could not be made at all."""


_SHOWN = 8  # names in one line of evidence


class Verdict(Enum):
    """What a check found."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    NOT_APPLICABLE = "n/a"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        check: What was looked at.
        evidence: What was seen, or why nothing can be; for people.
        advice: What to look at or to change next, or empty.
    """

    check: str
    verdict: Verdict
    evidence: str
    advice: str = ""


def passed(check: str, evidence: str) -> Row:
    """Return a line for what holds."""
    return Row(check, Verdict.PASS, evidence)


def failed(check: str, evidence: str, advice: str = "") -> Row:
    """Return a line for what does not hold."""
    return Row(check, Verdict.FAIL, evidence, advice)


def not_applicable(check: str, why: str) -> Row:
    """Return a line for what cannot be asked here."""
    return Row(check, Verdict.NOT_APPLICABLE, why)


def noted(check: str, evidence: str) -> Row:
    """Return a line for what works, but deserves a thought."""
    return Row(check, Verdict.NOTE, evidence)


def judged(check: str, lacks: str, evidence: str, advice: str = "") -> Row:
    """Return a failure if something is lacking, else a pass with its evidence."""
    return failed(check, lacks, advice) if lacks else passed(check, evidence)


def exit_status(rows: Iterable[Row]) -> int:
    """Return 1 if a check failed, else 0; what is not applicable does not count."""
    # What cannot be asked is no failure, or a stack without a talosconfig could never pass.
    return SOME_FAIL if any(row.verdict is Verdict.FAIL for row in rows) else ALL_PASS


def as_text(rows: Sequence[Row]) -> str:
    """Return the table for a terminal; advice stands on a line of its own."""
    width = max((len(row.check) for row in rows), default=0)
    # As wide as verdict and check together, so that advice stands under the evidence.
    indent = " " * (width + 8)
    lines = []
    for row in rows:
        lines.append(f"{row.verdict.value:<6}{row.check:<{width}}  {row.evidence}")
        if row.advice:
            lines.append(f"{indent}→ {row.advice}")
    return "\n".join([*lines, "", _summary(rows)])


def _summary(rows: Sequence[Row]) -> str:
    counts = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    notes = f", {counts[Verdict.NOTE]} to note" if counts[Verdict.NOTE] else ""
    return (
        f"{counts[Verdict.PASS]} pass, {counts[Verdict.FAIL]} fail, "
        f"{counts[Verdict.NOT_APPLICABLE]} not applicable{notes}"
    )


def as_json(rows: Sequence[Row]) -> str:
    """Return the table for programs: `checks`, each with check, verdict, evidence, advice; and `passed`."""
    checks = [
        {"check": row.check, "verdict": row.verdict.value, "evidence": row.evidence, "advice": row.advice}
        for row in rows
    ]
    return json.dumps({"checks": checks, "passed": exit_status(rows) == ALL_PASS}, indent=2)


def some(names: list[str]) -> str:
    """Return the first names and how many follow."""
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
