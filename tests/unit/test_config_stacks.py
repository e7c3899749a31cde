"""Every stack file: the valid ones load, each invalid one causes the lines it names and no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

import config
from model.faults import Faults
from model.parse import sound_parts
from model.rules import RULES, asked
from model.schema import SCHEMA
from tests.stacks.base import STACKS, cases, document, json_of, text

if TYPE_CHECKING:
    from pathlib import Path

ROOT = STACKS.parent.parent
VALID = sorted((STACKS / "valid").glob("*.yaml"))
INVALID = sorted((STACKS / "invalid").glob("*.yaml"))
REAL = [ROOT / "Pulumi.homelab.yaml", ROOT / "Pulumi.lab.yaml"]
EXPECT = "# expect: "


def expectations(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(EXPECT) for line in lines if line.startswith(EXPECT)]


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


@named(VALID + REAL)
def test_a_valid_stack_loads(path: Path) -> None:
    """parse() returns the cluster that the file describes."""
    assert config.parse(json_of(path)).name == "homelab"


@named(VALID + REAL)
def test_a_valid_stack_suits_the_schema(path: Path) -> None:
    """An editor shows no error in a stack file that the program takes."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    errors = validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert [(error.json_path, error.message) for error in errors] == []


@named(VALID + REAL)
def test_dumping_a_cluster_gives_it_back(path: Path) -> None:
    """Load after dump is the identity, durations and networks included."""
    cluster = config.parse(json_of(path))
    assert config.parse(cluster.model_dump_json(by_alias=True)) == cluster


@named(INVALID)
def test_an_invalid_stack_causes_its_lines_and_no_other(path: Path) -> None:
    """The faults are exactly the `# expect:` lines at the top of the file, in order."""
    with pytest.raises(Faults) as caught:
        config.parse(json_of(path))
    assert list(caught.value.lines) == expectations(path)


@named(INVALID)
def test_an_invalid_stack_opens_with_its_expectation(path: Path) -> None:
    """A reader sees on the first line why the file is there."""
    assert path.read_text(encoding="utf-8").startswith(EXPECT)


def test_there_are_as_many_stacks_as_cases() -> None:
    """No stack file is missing, and none is left over from a case that is gone."""
    assert {path.relative_to(STACKS) for path in VALID + INVALID} == set(cases())


def test_there_are_enough_stacks() -> None:
    """The numbers that the project promises."""
    assert len(VALID) >= 20
    assert len(INVALID) >= 140


def test_stack_files_are_what_their_cases_say() -> None:
    """`python -m tests.stacks` was run after the last change of a case or base."""
    stale = [str(path) for path, case in cases().items() if (STACKS / path).read_text() != text(case)]
    assert stale == []


def test_each_rule_has_a_stack_that_breaks_it() -> None:
    """No rule is only a promise: some stack file shows its message."""
    broken = set()
    for path in INVALID:
        parts = sound_parts(json.loads(json_of(path)))
        broken |= {rule.__name__ for rule in RULES if list(asked(rule, parts))}
    assert {rule.__name__ for rule in RULES} - broken == set()


def test_each_invalid_stack_has_its_own_cause() -> None:
    """No two cases differ only in their name."""
    written = [json.dumps(document(case), sort_keys=True) for case in cases().values() if case.expect]
    assert len(set(written)) == len(written)
