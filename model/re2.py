"""Regular expressions of link names: the part of RE2 that this program reads, and its own matcher for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
_ANY = 1000
"""RE2 repeats nothing more often than this, repetitions inside repetitions multiplied."""
# The matcher calls itself for each group, and Python's stack is shallow.
_DEEPEST = 20
# It bounds the time of a check; names of links are too short to need more.
_LONGEST = 200

Token = tuple[str, str]
Repeat = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Atom:
    """One character, an anchor or a group; with how often it stands there."""

    pattern: str
    choices: tuple[tuple[_Atom, ...], ...]
    least: int
    most: int


def refusal(expression: str) -> str:
    """Return why Cilium should not get the expression, or nothing if it may.

    Cilium searches link names for a match (Go's regexp, which is RE2) and only logs a broken
    expression: what is not anchored matches eth10 where eth1 was meant.
    """
    if len(expression) > _LONGEST:
        return f"is longer than {_LONGEST} characters: write several expressions"
    # Python parses more than RE2 does; what RE2 would refuse must be refused here, not on the node.
    tokens = _tokens(expression)
    if tokens is None:
        return (
            "is not RE2 that this program understands: use letters, sets, groups and quantifiers, "
            "no lookaround, no back reference"
        )
    if _depth(tokens) > _DEEPEST:
        return f"has more than {_DEEPEST} groups inside each other: write several expressions"
    try:
        re.compile(expression)
    except re.error as error:
        return f"is not a regular expression: {error.msg}"
    if _repetitions(_parsed(tokens)) > _ANY:
        return f"repeats more than {_ANY} times, which RE2 refuses: use * or +"
    return _not_anchored(expression, tokens)


def matches(expression: str, name: str) -> bool:
    """Return whether an expression that is not refused matches a whole name, without backtracking."""
    tokens = _tokens(expression)
    return tokens is not None and any(
        end == len(name) for end in _ends_of_choices(_parsed(tokens), name, frozenset({0}))
    )


def has_bare_dot(expression: str) -> bool:
    """Return whether a dot stands for any one character where a literal dot is more likely."""
    kinds = [*(kind for kind, _ in _tokens(expression) or []), ""]
    return any(kind == "dot" and after != "quantifier" for kind, after in pairwise(kinds))


def _tokens(expression: str) -> list[Token] | None:
    """Return kind and text of each token, or nothing if some part is none of them."""
    tokens: list[Token] = []
    position = 0
    while position < len(expression):
        token = _TOKEN.match(expression, position)
        # Lookaround and back references are what RE2 leaves out, because they can take exponential time.
        if token is None:
            return None
        tokens.append((str(token.lastgroup), token[0]))
        position = token.end()
    return tokens


def _depth(tokens: list[Token]) -> int:
    depth = deepest = 0
    for kind, _ in tokens:
        depth += (kind == "open") - (kind == "close")
        deepest = max(deepest, depth)
    return deepest


def _not_anchored(expression: str, tokens: list[Token]) -> str:
    """Return what is wrong with the anchors; of outer choices each may have its own."""
    # `^eth0|eth1$` matches eth0x and xeth1: the anchors belong to one choice each.
    branches: list[list[Token]] = [[]]
    depth = 0
    for kind, text in tokens:
        depth += (kind == "open") - (kind == "close")
        if kind == "bar" and depth == 0:
            branches.append([])
        else:
            branches[-1].append((kind, text))
    if all(_is_anchored(branch) for branch in branches):
        return ""
    if len(branches) > 1 and expression.startswith("^") and tokens[-1] == ("literal", "$"):
        return f"anchors only its first and last choice: write ^({expression[1:-1]})$"
    return f"is not anchored: write ^{expression.removeprefix('^').removesuffix('$')}$"


def _is_anchored(branch: list[Token]) -> bool:
    return bool(branch) and branch[0] == ("literal", "^") and branch[-1] == ("literal", "$")


def _parsed(tokens: list[Token]) -> tuple[tuple[_Atom, ...], ...]:
    """Return the choices of an expression that Python could compile."""
    stack: list[list[list[_Atom]]] = [[[]]]
    for kind, text in tokens:
        sequence = stack[-1][-1]
        if kind == "open":
            stack.append([[]])
        elif kind == "close":
            choices = tuple(tuple(choice) for choice in stack.pop())
            stack[-1][-1].append(_Atom("", choices, 1, 1))
        elif kind == "bar":
            stack[-1].append([])
        elif kind == "quantifier":
            last = sequence.pop()
            sequence.append(_Atom(last.pattern, last.choices, *_bounds(text)))
        else:
            sequence.append(_Atom(text, (), 1, 1))
    return tuple(tuple(choice) for choice in stack[-1])


def _bounds(quantifier: str) -> Repeat:
    # Names of links have 15 characters: so many repetitions are as good as unlimited.
    known = {"*": (0, _ANY), "+": (1, _ANY), "?": (0, 1)}
    if quantifier[0] in known:
        return known[quantifier[0]]
    least, comma, most = quantifier.rstrip("?")[1:-1].partition(",")
    return int(least), int(most) if most else _ANY if comma else int(least)


def _repetitions(choices: tuple[tuple[_Atom, ...], ...]) -> int:
    """Return how often something stands there at most; * and + cost RE2 nothing."""
    return max(
        (_times(atom) * _repetitions(atom.choices) for choice in choices for atom in choice), default=1
    )


def _times(atom: _Atom) -> int:
    return max(1, atom.least if atom.most == _ANY else atom.most)


def _ends_of_choices(
    choices: tuple[tuple[_Atom, ...], ...], name: str, starts: frozenset[int]
) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    for choice in choices:
        ends = starts
        for atom in choice:
            ends = _repeated(atom, name, ends)
        found |= ends
    return found


def _repeated(atom: _Atom, name: str, starts: frozenset[int]) -> frozenset[int]:
    """Return where the atom may end; sets of positions keep it short where backtracking would not end."""
    reached = starts if atom.least == 0 else frozenset()
    for count in range(1, atom.most + 1):
        before = starts
        starts = _once(atom, name, starts)
        grown = reached | starts if count >= atom.least else reached
        # Where one more repetition gains nothing, no later one does.
        if not starts or (count > atom.least and (grown == reached or starts == before)):
            return grown
        reached = grown
    return reached


def _once(atom: _Atom, name: str, starts: frozenset[int]) -> frozenset[int]:
    if atom.choices:
        return _ends_of_choices(atom.choices, name, starts)
    if atom.pattern == "^":
        return starts & {0}
    if atom.pattern == "$":
        return starts & {len(name)}
    character = re.compile(atom.pattern)
    return frozenset(at + 1 for at in starts if at < len(name) and character.fullmatch(name[at]))
