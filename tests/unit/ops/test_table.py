"""The table of ops: text, JSON and exit status."""

from __future__ import annotations

import json

from ops.table import Verdict, as_json, as_text, exit_status, failed, judged, not_applicable, noted, passed

ROWS = [
    passed("kube-proxy absent", "no pod"),
    failed("pool homelab", "in conflict", "look at the blocks"),
    not_applicable("lease", "no agent"),
]


def test_a_table_has_a_line_per_check_and_the_advice_below_it() -> None:
    assert as_text(ROWS).splitlines() == [
        "pass  kube-proxy absent  no pod",
        "fail  pool homelab       in conflict",
        "                         → look at the blocks",
        "n/a   lease              no agent",
        "",
        "1 pass, 1 fail, 1 not applicable",
    ]


def test_a_note_is_counted_only_where_there_is_one() -> None:
    assert as_text([noted("stack config", "even")]).splitlines()[-1] == (
        "0 pass, 0 fail, 0 not applicable, 1 to note"
    )


def test_an_empty_table_still_says_so() -> None:
    assert as_text([]) == "\n0 pass, 0 fail, 0 not applicable"


def test_json_has_the_same_lines() -> None:
    document = json.loads(as_json(ROWS))
    assert document["passed"] is False
    assert document["checks"][1] == {
        "check": "pool homelab",
        "verdict": "fail",
        "evidence": "in conflict",
        "advice": "look at the blocks",
    }


def test_only_a_failure_changes_the_exit_status() -> None:
    assert exit_status(ROWS) == 1
    assert exit_status([ROWS[0], ROWS[2], noted("a", "b")]) == 0


def test_what_lacks_is_the_evidence_of_a_failure() -> None:
    assert judged("a", "", "fine").verdict is Verdict.PASS
    assert judged("a", "broken", "fine", "mend").evidence == "broken"
