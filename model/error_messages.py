"""Turns pydantic's errors into faults in plain words."""

from __future__ import annotations

import re
from difflib import get_close_matches
from inspect import isclass
from typing import TYPE_CHECKING, Any, get_args

from model.faults import Fault
from model.strict import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

ROOT = "homelab:cluster"

_PLAIN_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# YAML's words for booleans: in quotes they are text, which strict mode does not convert.
_QUOTED_BOOLEANS = frozenset({"true", "false", "yes", "no", "on", "off"})


def explain(error: ValidationError, model: type[Model], document: object) -> Iterator[Fault]:
    """Yield one fault for each error of a validation.

    Args:
        error: What pydantic found.
        model: The model that was validated; its keys are offered for misspelled ones.
        document: What was validated; only names of nodes are taken from it, for the paths.
    """
    # The address of a page about pydantic helps nobody who edits a stack file.
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and _has_faulty_entry(detail, details):
            continue  # pydantic does not count the entries that it refused
        message = _MESSAGES.get(detail["type"], _as_is)
        yield Fault(path_of(detail["loc"], document), message(detail, model))


def path_of(location: Sequence[int | str], document: object) -> str:
    """Return the location in the spelling of the stack file, with nodes by name where they have one."""
    parts = [str(part) for part in location]
    # A person looks for the node's name, not for its place in the list.
    if location[:1] == ("nodes",) and len(location) > 1:
        parts[1] = _node_name(document, location[1]) or parts[1]
    return ".".join(parts) or ROOT


def closest(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean …?` for a word close to a known one, else nothing."""
    # Most slips are of case, which a comparison of letters would count as differences.
    by_lower = {name.lower(): name for name in known}
    matches = get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[matches[0]]}?" if matches else ""


def _has_faulty_entry(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    location = detail["loc"]
    return any(other["loc"][: len(location)] == location != other["loc"] for other in details)


def _node_name(document: object, index: int | str) -> str | None:
    nodes = document.get("nodes") if isinstance(document, dict) else None
    node = nodes[index] if isinstance(nodes, list) and isinstance(index, int) else None
    name = node.get("name") if isinstance(node, dict) else None
    # A name with odd characters would make the path itself unreadable.
    return name if isinstance(name, str) and _PLAIN_NAME.fullmatch(name) else None


def _models(annotation: object) -> list[type[Model]]:
    """Return the models inside an annotation such as `tuple[Node, ...] | None`."""
    if isclass(annotation) and issubclass(annotation, Model):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _keys(model: type[Model], location: Sequence[int | str]) -> list[str]:
    """Return the keys that the mapping at `location` may have."""
    for part in location:
        field = next((f for f in model.model_fields.values() if f.alias == part), None)
        # An index into a list is no field: the model stays that of the list's entries.
        if field is not None:
            (model,) = _models(field.annotation)
    return [str(field.alias) for field in model.model_fields.values()]


def _as_is(detail: ErrorDetails, _model: type[Model]) -> str:
    return detail["msg"]


def _own_words(detail: ErrorDetails, _model: type[Model]) -> str:
    return str(detail["ctx"]["error"])


def _unknown_key(detail: ErrorDetails, model: type[Model]) -> str:
    *parents, key = detail["loc"]
    return "unknown key" + closest(str(key), _keys(model, parents))


def _boolean(detail: ErrorDetails, _model: type[Model]) -> str:
    value = detail["input"]
    quoted = isinstance(value, str) and value.lower() in _QUOTED_BOOLEANS
    return "must be true or false" + (", without quotes" if quoted else "")


def _whole_number(detail: ErrorDetails, _model: type[Model]) -> str:
    return "must be a whole number" + (", without quotes" if isinstance(detail["input"], str) else "")


def _choice(detail: ErrorDetails, _model: type[Model]) -> str:
    # pydantic offers the choices only as the text of its own message.
    choices = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
    value = detail["input"]
    hint = closest(value, choices) if isinstance(value, str) else ""
    return f"must be {' or '.join(choices)}{hint}"


def _said(text: str) -> Callable[[ErrorDetails, type[Model]], str]:
    """Return a message that needs nothing but the limits in the error's context."""

    def message(detail: ErrorDetails, _model: type[Model]) -> str:
        context: dict[str, Any] = detail.get("ctx", {})
        return text.format(**context)

    return message


# pydantic's own words speak of Python's types, which a stack file does not have.
_MESSAGES: dict[str, Callable[[ErrorDetails, type[Model]], str]] = {
    "missing": _said("set this key"),
    "extra_forbidden": _unknown_key,
    "value_error": _own_words,
    "bool_type": _boolean,
    "literal_error": _choice,
    "int_type": _whole_number,
    "string_type": _said("must be text; put it in quotes"),
    "model_type": _said("must be a mapping"),
    "dict_type": _said("must be a mapping"),
    "tuple_type": _said("must be a list"),
    "too_short": _said("must have at least {min_length} entry"),
    "greater_than_equal": _said("must be at least {ge}"),
    "less_than_equal": _said("must be at most {le}"),
    "json_invalid": _said("must be a mapping of the keys in Pulumi.homelab.yaml"),
}
