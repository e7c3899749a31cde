"""How the inputs of a step travel: the fields of a class are the variables of its environment."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from clients.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Inputs = TypeVar("Inputs", bound="StepInputs")


@dataclass(frozen=True, slots=True, order=True)
class Peer:
    """A node by name and address, as in CONTROL_PLANES and WORKERS."""

    name: str
    address: str

    def __str__(self) -> str:
        """As a word of the environment: `cp1=10.0.50.11`."""
        return f"{self.name}={self.address}"


Words = tuple[str, ...]
"""Words without spaces, one space between them."""
Peers = tuple[Peer, ...]
"""Nodes as `cp1=10.0.50.11 cp2=10.0.50.12`."""
Numbered = tuple[str, ...]
"""Texts in variables of their own, numbered from 1: PATCH_1, PATCH_2, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInputs:
    """Base of the inputs of all steps.

    Attributes:
        STEP: Name of the step, the argument of `python3 -IS steps`.
        RUNS: Module and function; imported only when the step runs, because many start at the same time.
        SECRETS: Names of its secrets.
    """

    STEP: ClassVar[str]
    RUNS: ClassVar[tuple[str, str]]
    SECRETS: ClassVar[frozenset[str]] = frozenset()

    def environment(self) -> dict[str, str]:
        """Return the variables of the environment; a field that is None is left out."""
        found: dict[str, str] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None:
                found |= _written(variable(item), str(item.type), value)
        return found

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Return the inputs that an environment holds.

        Raises:
            OperationError: a variable is missing, or is not what its field wants.
        """
        return cls(**{item.name: _read(item, environment) for item in fields(cls)})


def variable(item: Field[Any]) -> str:
    """Return the variable of a field: its name in capitals, unless its metadata says another."""
    return str(item.metadata.get("variable", item.name.upper()))


def _written(name: str, kind: str, value: Any) -> dict[str, str]:  # noqa: ANN401 - any of the kinds below
    if kind == "Numbered":
        return {f"{name}_{number}": text for number, text in enumerate(value, start=1)}
    if kind in {"Words", "Peers"}:
        return {name: " ".join(str(word) for word in value)}
    return {name: str(round(value)) if kind == "float" else str(value)}


def _read(item: Field[Any], environment: Mapping[str, str]) -> Any:  # noqa: ANN401 - any of the kinds below
    name, kind = variable(item), str(item.type)
    if kind == "Numbered":
        return _read_numbered(name, environment)
    text = environment.get(name, "")
    if text:
        return _READERS[kind](name, text)
    # An engine that hands on an unknown value leaves the variable empty.
    if item.default is MISSING:
        raise OperationError(f"{name} is not set in the environment of this step")
    return item.default


def _read_numbered(name: str, environment: Mapping[str, str]) -> Numbered:
    start = f"{name}_"
    found = {key for key in environment if key.startswith(start) and key.removeprefix(start).isdecimal()}
    names = [f"{start}{number}" for number in range(1, len(found) + 1)]
    if found != set(names):
        raise OperationError(
            f"variables must be numbered {start}1, {start}2, … without a gap, not {sorted(found)}"
        )
    return tuple(environment[key] for key in names)


def parse_seconds(name: str, value: str) -> float:
    """Return a whole number of seconds above zero.

    Raises:
        OperationError: the value is no such number.
    """
    if not (value.isascii() and value.isdecimal()) or int(value) == 0:
        raise OperationError(f"{name} must be a whole number of seconds above zero, not {value!r}")
    return float(value)


def _read_peers(name: str, text: str) -> Peers:
    return tuple(_peer(name, word) for word in text.split())


def _peer(name: str, word: str) -> Peer:
    node, separator, address = word.partition("=")
    if not (node and separator and address):
        raise OperationError(
            f"{name} must be a list like 'cp1=10.0.50.11 cp2=10.0.50.12'; {word!r} is no such entry"
        )
    return Peer(node, address)


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    "str": lambda _name, text: text,
    "str | None": lambda _name, text: text,
    "float": parse_seconds,
    "Words": lambda _name, text: tuple(text.split()),
    "Peers": _read_peers,
}
