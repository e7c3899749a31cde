"""Interface expressions: the part of RE2 that this program lets through."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.re2 import has_bare_dot, matches, refusal

NOT_RE2 = (
    "is not RE2 that this program understands: use letters, sets, groups and quantifiers, "
    "no lookaround, no back reference"
)

DEEP = "has more than 20 groups inside each other: write several expressions"


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("^eno1$", "eno1"),
        (r"^eth0\.50$", "eth0.50"),
        ("^en[op][0-9]+$", "enp3"),
        ("^(eno|eth)[^a-z]{1,2}?$", "eno12"),
        (r"^(?:vlan|bond)\d*$", "vlan50"),
        ("^e.*$", "eno1"),
        ("^eno1$|^eth0$", "eth0"),
        ("^(eno1|)$", "eno1"),
        ("^e{2,}n?$", "eeen"),
    ],
)
def test_an_anchored_expression_is_taken(expression: str, name: str) -> None:
    """What is taken reads the same in Python and in RE2."""
    assert refusal(expression) == ""
    assert re.search(expression, name)
    assert matches(expression, name)


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
        ("^eno1$|eth0$", "anchors only its first and last choice: write ^(eno1$|eth0)$"),
        ("^eno1$|", "is not anchored: write ^eno1$|$"),
        ("^" + "e" * 200 + "$", "is longer than 200 characters: write several expressions"),
        ("^" + "(" * 21 + "e" + ")" * 21 + "$", DEEP),
        ("^(e{99}){99}$", "repeats more than 1000 times, which RE2 refuses: use * or +"),
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


@pytest.mark.parametrize(
    "expression", ["^(e*)*x$", "^((e|e)*)*x$", "^" + "e*" * 90 + "x$", "^((e{0,30}){0,30})*x$"]
)
def test_an_expression_that_makes_python_backtrack_ends_at_once(expression: str) -> None:
    """Python's own matcher would be at it for hours with some of these."""
    began = time.process_time()
    assert not matches(expression, "e" * 15)
    assert matches(expression, "e" * 14 + "x")
    assert time.process_time() - began < 1


def test_what_is_no_expression_matches_nothing() -> None:
    assert not matches("^(?=eno1)eno1$", "eno1")


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "^", "$"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.builds("({})".format, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds("{}{}".format, inner, inner)
        | st.builds(
            "({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0}", "{1,}", "*?"])
        )
    ),
    max_leaves=5,
)


@given(expression=EXPRESSIONS, name=st.text("ab1", max_size=5))
def test_own_matcher_agrees_with_that_of_python(expression: str, name: str) -> None:
    """Where Python's matcher ends soon, both say the same."""
    assert matches(f"^(?:{expression})$", name) is bool(re.search(f"^(?:{expression})$", name))
