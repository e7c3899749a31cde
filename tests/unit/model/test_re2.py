"""Interface expressions: the part of RE2 that this program lets through."""

from __future__ import annotations

import re

import pytest

from model.re2 import has_bare_dot, refusal

NOT_RE2 = (
    "is not RE2 that this program understands: use letters, sets, groups and quantifiers, "
    "no lookaround, no back reference"
)


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ("^eno1$", "eno1"),
        (r"^eth0\.50$", "eth0.50"),
        ("^en[op][0-9]+$", "enp3"),
        ("^(eno|eth)[^a-z]{1,2}?$", "eno12"),
        (r"^(?:vlan|bond)\d*$", "vlan50"),
        ("^e.*$", "eno1"),
    ],
)
def test_an_anchored_expression_is_taken(expression: str, matches: str) -> None:
    """What is taken reads the same in Python and in RE2."""
    assert refusal(expression) == ""
    assert re.search(expression, matches)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("eno1", "is not anchored: write ^eno1$"),
        ("^eno1", "is not anchored: write ^eno1$"),
        ("eno1$", "is not anchored: write ^eno1$"),
        (r"^eno1\$", r"is not anchored: write ^eno1\$"),
        ("", "is not anchored: write ^$"),
        ("^eth0|eth1$", "anchors only its first and last choice: write ^(eth0|eth1)$"),
        ("^(?=eno1)eno1$", NOT_RE2),
        ("^(?<!wg)eno1$", NOT_RE2),
        ("^(?P<link>eno1)$", NOT_RE2),
        (r"^(e)no\1$", NOT_RE2),
        ("^eno1++$", NOT_RE2),
        ("^[[:alpha:]]$", NOT_RE2),
        ("^eno1 $", NOT_RE2),
        ("^eno[1$", NOT_RE2),
        ("^(eno1$", "is not a regular expression: missing ), unterminated subpattern"),
        ("^*$", "is not a regular expression: nothing to repeat"),
        ("^e{3,2}$", "is not a regular expression: min repeat greater than max repeat"),
    ],
)
def test_another_expression_is_refused_with_its_reason(expression: str, reason: str) -> None:
    assert refusal(expression) == reason


@pytest.mark.parametrize(
    ("expression", "bare"),
    [
        ("^eth0.50$", True),
        (r"^eth0\.50$", False),
        ("^eth.*$", False),
        ("^eth[.]50$", False),
        ("^eth.", True),
        ("(?=", False),
    ],
)
def test_a_dot_for_any_character_is_noticed(expression: str, bare: bool) -> None:  # noqa: FBT001 - a table
    assert has_bare_dot(expression) is bare
