"""Every case of tests/cases: stacks load, or cause exactly the lines and break the rule that they name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

import config
from model.faults import Faults
from model.parse import sound_parts
from model.rules import RULES, asked
from model.schema import SCHEMA
from tests.cases.stack_cases import CASES, ROOT, Case, refused, valid

if TYPE_CHECKING:
    from collections.abc import Callable

RULE_CASES, SHAPE_CASES = refused("rules"), refused("shape")
REAL = [ROOT / "Pulumi.homelab.yaml", ROOT / "Pulumi.lab.yaml"]
STACKS: dict[str, dict[str, Any]] = {
    **{name: case.stack() for name, case in valid().items()},
    **{path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in REAL},
}


def module_of(rule: Callable[..., object]) -> str:
    """Return the rule module of a rule."""
    return rule.__module__.rpartition(".")[2]


def broken(case: Case) -> set[tuple[str, str]]:
    """Return module and name of every rule whose words are among the expected lines."""
    parts = sound_parts(case.cluster())
    return {
        (module_of(rule), rule.__name__)
        for rule in RULES
        if {str(fault) for fault in asked(rule, parts)} & set(case.expect)
    }


def without_case(rules: set[tuple[str, str]], cases: dict[tuple[str, str], Case]) -> set[tuple[str, str]]:
    """Return the rules that no case in the file of their module names."""
    return rules - {(module, case.rule) for (module, _), case in cases.items()}


def named(cases: dict[tuple[str, str], Case]) -> pytest.MarkDecorator:
    params = [pytest.param(module, case, id=f"{module}-{name}") for (module, name), case in cases.items()]
    return pytest.mark.parametrize(("module", "case"), params)


each_stack = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)


@each_stack
def test_a_valid_stack_loads(stack: dict[str, Any]) -> None:
    """parse() returns the cluster that the file describes."""
    assert config.parse(json.dumps(stack["config"]["homelab:cluster"])).name == "homelab"


@each_stack
def test_a_valid_stack_suits_the_schema(stack: dict[str, Any]) -> None:
    """An editor shows no error in a stack file that the program takes."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    errors = validator.iter_errors(stack)
    assert [(error.json_path, error.message) for error in errors] == []


@each_stack
def test_dumping_a_cluster_gives_it_back(stack: dict[str, Any]) -> None:
    """Load after dump is the identity, durations and networks included."""
    cluster = config.parse(json.dumps(stack["config"]["homelab:cluster"]))
    assert config.parse(cluster.model_dump_json(by_alias=True)) == cluster


@named(RULE_CASES | SHAPE_CASES)
def test_a_refused_stack_causes_its_lines_and_no_other(module: str, case: Case) -> None:
    with pytest.raises(Faults) as caught:
        config.parse(case.json())
    assert list(caught.value.lines) == case.expect


@named(RULE_CASES)
def test_a_case_breaks_the_rule_that_it_names(module: str, case: Case) -> None:
    assert (module, case.rule) in broken(case)


@named(SHAPE_CASES)
def test_a_case_of_a_shape_breaks_no_rule(module: str, case: Case) -> None:
    """Else it belongs into the file of that rule."""
    assert (case.rule, broken(case)) == ("", set())
    assert (ROOT / "model" / f"{module}.py").is_file()


def test_each_rule_has_a_case() -> None:
    assert without_case({(module_of(rule), rule.__name__) for rule in RULES}, RULE_CASES) == set()


def test_a_rule_without_a_case_is_found() -> None:
    some = {("ranges", "first"): Case(rule="ranges_do_not_overlap")}
    rules = {("ranges", "ranges_do_not_overlap"), ("pools", "ranges_do_not_overlap"), ("ranges", "new_rule")}
    assert without_case(rules, some) == rules - {("ranges", "ranges_do_not_overlap")}


def test_each_rule_module_has_its_file_and_no_other_has_one() -> None:
    files = {file.stem for file in (CASES / "rules").glob("*.yaml")}
    assert files == {module_of(rule) for rule in RULES}


def test_no_two_cases_differ_only_in_their_name() -> None:
    cases = [*RULE_CASES.values(), *SHAPE_CASES.values()]
    assert len({json.dumps(case.cluster(), sort_keys=True) for case in cases}) == len(cases)
