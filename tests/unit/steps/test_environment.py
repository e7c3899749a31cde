"""Inputs of steps travel through the environment and come out as they went in."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from clients.errors import OperationError
from steps.environment import Numbered, Peer, Peers, StepInputs, Words, parse_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryKind(StepInputs):
    STEP = "every-kind"
    RUNS = ("tests", "none")

    text: str
    seconds: float = 5.0
    words: Words = ()
    nodes: Peers = ()
    note: str | None = None
    texts: Numbered = field(default=(), metadata={"variable": "PATCH"})


CP1, CP2 = Peer("cp1", "10.0.50.11"), Peer("cp2", "10.0.50.12")
FULL = EveryKind(
    text="a b", seconds=900.0, words=("x", "y"), nodes=(CP1, CP2), note="look", texts=("one: 1\n", "two: 2\n")
)


def test_fields_are_variables() -> None:
    assert FULL.environment() == {
        "TEXT": "a b",
        "SECONDS": "900",
        "WORDS": "x y",
        "NODES": "cp1=10.0.50.11 cp2=10.0.50.12",
        "NOTE": "look",
        "PATCH_1": "one: 1\n",
        "PATCH_2": "two: 2\n",
    }


@pytest.mark.parametrize("inputs", [FULL, EveryKind(text="a")])
def test_what_is_written_is_read(inputs: EveryKind) -> None:
    assert EveryKind.read(inputs.environment()) == inputs


def test_a_field_that_is_none_is_left_out() -> None:
    assert EveryKind(text="a").environment() == {"TEXT": "a", "SECONDS": "5", "WORDS": "", "NODES": ""}


@pytest.mark.parametrize("environment", [{}, {"TEXT": ""}])
def test_a_variable_that_is_missing_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(OperationError, match=r"^TEXT is not set in the environment of this step$"):
        EveryKind.read(environment)


@pytest.mark.parametrize("word", ["cp1", "cp1=", "=10.0.50.11"])
def test_an_entry_that_is_no_node_is_named(word: str) -> None:
    with pytest.raises(OperationError, match=f"NODES must be a list like .*; '{word}' is no such entry"):
        EveryKind.read({"TEXT": "a", "NODES": word})


@pytest.mark.parametrize("value", ["soon", "0", "-1", "1.5", "²"])
def test_seconds_are_whole_numbers(value: str) -> None:
    with pytest.raises(
        OperationError, match=f"^SECONDS must be a whole number of seconds above zero, not '{value}'$"
    ):
        EveryKind.read({"TEXT": "a", "SECONDS": value})
    assert parse_seconds("SECONDS", "600") == 600.0


def test_numbers_have_no_gap() -> None:
    with pytest.raises(
        OperationError,
        match=r"variables must be numbered PATCH_1, PATCH_2, … without a gap, not \['PATCH_2'\]",
    ):
        EveryKind.read({"TEXT": "a", "PATCH_2": "x"})
