"""Regular expressions of link names: the part of RE2 that Python reads the same way."""

from __future__ import annotations

import re
from itertools import pairwise

_TOKEN = re.compile(
    r"""
      (?P<escape> \\[dDwWsS] | \\[^A-Za-z0-9\s] )
    | (?P<set> \[\^?[^]\[\\\s]+\] )
    | (?P<open> \((?:\?:)?(?!\?) )
    | (?P<close> \) )
    | (?P<dot> \. )
    | (?P<quantifier> (?:[*+?]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})\??(?![*+?{]) )
    | (?P<bar> \| )
    | (?P<literal> [^\\\[\](){}*+?|.\s] )
    """,
    re.VERBOSE,
)


def refusal(expression: str) -> str:
    """Return why Cilium should not get the expression, or nothing if it may.

    Cilium searches link names for a match (Go's regexp, which is RE2) and only logs a broken
    expression: what is not anchored matches eth10 where eth1 was meant.
    """
    # Python parses more than RE2 does; what RE2 would refuse must be refused here, not on the node.
    kinds = _kinds(expression)
    if kinds is None:
        return (
            "is not RE2 that this program understands: use letters, sets, groups and quantifiers, "
            "no lookaround, no back reference"
        )
    try:
        re.compile(expression)
    except re.error as error:
        return f"is not a regular expression: {error.msg}"
    if not (expression.startswith("^") and expression.endswith("$") and kinds[-1] == "literal"):
        return f"is not anchored: write ^{expression.removeprefix('^').removesuffix('$')}$"
    # `^eth0|eth1$` matches eth0x and xeth1: the anchors belong to one choice each.
    if _has_outer_bar(kinds):
        return f"anchors only its first and last choice: write ^({expression[1:-1]})$"
    return ""


def has_bare_dot(expression: str) -> bool:
    """Return whether a dot stands for any one character where a literal dot is more likely."""
    kinds = [*(_kinds(expression) or []), ""]
    return any(kind == "dot" and after != "quantifier" for kind, after in pairwise(kinds))


def _kinds(expression: str) -> list[str] | None:
    """Return the kind of each token, or nothing if some part is none of them."""
    kinds: list[str] = []
    position = 0
    while position < len(expression):
        token = _TOKEN.match(expression, position)
        # Lookaround and back references are what RE2 leaves out, because they can take exponential time.
        if token is None:
            return None
        kinds.append(str(token.lastgroup))
        position = token.end()
    return kinds


def _has_outer_bar(kinds: list[str]) -> bool:
    depth = 0
    for kind in kinds:
        depth += (kind == "open") - (kind == "close")
        if kind == "bar" and depth == 0:
            return True
    return False
