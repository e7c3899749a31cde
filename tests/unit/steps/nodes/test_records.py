"""How the set of nodes is written down and read again."""

from __future__ import annotations

import json

import pytest

from clients.errors import OperationError
from steps.nodes.records import parse_configs, parse_managed, parse_wanted_nodes, write_managed
from tests.unit.steps.nodes.nodes_cases import settled, wanted

LINE = "w1 worker 10.0.50.21 v1.13.0 v1.36.3 0123456789ab"


def test_a_line_and_its_machine_config_are_a_node() -> None:
    found = parse_wanted_nodes(LINE, json.dumps({"w1": "machine: {}"}))
    assert found == {"w1": wanted("w1", "3b73c63331cf")}
    assert parse_wanted_nodes(LINE, json.dumps({"w1": "machine: {a: secret}"})) != found


@pytest.mark.parametrize("line", ["w1 worker", f"{LINE} more", LINE.replace("w1", "w2")])
def test_a_line_that_is_none(line: str) -> None:
    with pytest.raises(OperationError, match="NODES has a line that is no node with a machine config: "):
        parse_wanted_nodes(line, json.dumps({"w1": "machine: {}"}))


@pytest.mark.parametrize("text", ["s3cret", "[]", '{"w1": 1}'])
def test_configs_that_are_none_are_not_shown(text: str) -> None:
    with pytest.raises(OperationError) as caught:
        parse_configs(text)
    assert str(caught.value) == "'configs' on stdin must be a JSON object of machine configs by node"


def test_a_result_is_read_as_it_was_written() -> None:
    nodes = dict(settled("cp1", "w1").last)
    text = write_managed(nodes)
    assert parse_managed(text) == nodes
    assert len(text.splitlines()) == len(nodes)
    assert parse_managed("") == {}


@pytest.mark.parametrize("text", ["w1 configured", "[]", '{"w1": {}}', '{"w1": 5}'])
def test_a_result_that_is_none(text: str) -> None:
    with pytest.raises(OperationError, match="the last result of the nodes holds no records of nodes"):
        parse_managed(text)
