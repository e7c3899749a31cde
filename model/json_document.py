"""Reads JSON that may be broken, too deep or full of numbers that no other program reads."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from model.error_messages import ROOT, path_of
from model.faults import Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DEEPEST = 64
"""Levels of mappings and lists; Talos and the chart need a dozen."""
_INT64 = 1 << 63

Entry = tuple[tuple[int | str, ...], object]


def json_document(text: str) -> object:
    """Return the document in `text`.

    Raises:
        Faults: it is no JSON, or deeper or longer in its numbers than Python reads.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        message = f"must be a mapping of the keys in Pulumi.homelab.yaml; its JSON is broken at {where}"
    except RecursionError:
        message = _too_deep()
    except ValueError:  # Python converts no number of more than 4300 digits
        message = "holds a number with thousands of digits"
    else:
        deepest = max(len(path) for path, _ in entries(document))
        if deepest <= _DEEPEST:
            return document
        message = _too_deep()
    # Without its cause: the parser's error carries the document, which may hold secrets.
    raise Faults([Fault(ROOT, message)]) from None


def _too_deep() -> str:
    return f"has more than {_DEEPEST} mappings or lists inside each other"


def unusable_numbers(document: object) -> Iterator[Fault]:
    """Yield the numbers that Go, in which Talos and Cilium are written, does not read."""
    for path, value in entries(document):
        place = path_of(path, document)
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            yield Fault(place, "is a number beyond 64 bits")
        # Python's parser takes NaN and Infinity, which are no JSON.
        if isinstance(value, float) and not math.isfinite(value):
            yield Fault(place, "is not a finite number")


def entries(document: object) -> Iterator[Entry]:
    """Yield every value of the document with its path, parents first, down to one level too deep."""
    # A list instead of recursion: whether the depth is harmless is only found out here.
    waiting: list[Entry] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        inside: Iterable[tuple[int | str, object]] = ()
        if isinstance(value, dict):
            inside = value.items()
        elif isinstance(value, list):
            inside = enumerate(value)
        if len(path) <= _DEEPEST:
            waiting += [((*path, key), inner) for key, inner in inside]
