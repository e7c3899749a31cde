"""The schema that editors check stack files with."""

from __future__ import annotations

import runpy
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from model.cluster import Cluster
from model.schema import SCHEMA, main, stack_schema
from tests.cases.stack_cases import ROOT, Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_the_committed_schema_is_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of the model: python -m model.schema."""
    monkeypatch.delitem(sys.modules, "model.schema")
    monkeypatch.setattr(sys, "argv", ["model.schema", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("model.schema", run_name="__main__")
    assert ended.value.code == 0


def test_a_stale_schema_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--check tells a missing and an old file, and a written one passes."""
    target = tmp_path / "stack.schema.json"
    assert main(["--check"], target) == 1
    target.write_text("{}", encoding="utf-8")
    assert main(["--check"], target) == 1
    expected = "stack.schema.json is not what the model says: run python -m model.schema\n"
    assert capsys.readouterr().err == expected * 2
    assert main([], target) == 0
    assert main(["--check"], target) == 0
    assert target.read_text(encoding="utf-8") == SCHEMA.read_text(encoding="utf-8")


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(stack_schema())


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"network.podCidr": 5}, "$.config['homelab:cluster'].network.podCidr"),
        ({"lan.vlanId": 4095}, "$.config['homelab:cluster'].lan.vlanId"),
        ({"nodes.0.role": "master"}, "$.config['homelab:cluster'].nodes[0].role"),
        ({"nodes.0.name": "CP1"}, "$.config['homelab:cluster'].nodes[0].name"),
        (
            {"nodes.0.interface.mac": "52:54:00:AB:CD:EF"},
            "$.config['homelab:cluster'].nodes[0].interface.mac",
        ),
        (
            {"loadBalancer.leases": {"duration": 15}},
            "$.config['homelab:cluster'].loadBalancer.leases.duration",
        ),
        ({"cilium.kubeProxyReplacement": False}, "$.config['homelab:cluster'].cilium.kubeProxyReplacement"),
        ({"network.podCIDR": "10.244.0.0/16"}, "$.config['homelab:cluster'].network"),
    ],
)
def test_an_editor_marks_the_place_of_a_wrong_shape(changes: dict[str, Any], where: str) -> None:
    stack = {"config": {"homelab:cluster": Case(changes=changes).cluster()}}
    errors = jsonschema.Draft202012Validator(stack_schema()).iter_errors(stack)
    assert [error.json_path for error in errors] == [where]


def test_an_editor_marks_a_misspelled_key_of_the_project() -> None:
    """Other namespaces are free, homelab: has two keys and a secret one is never plain text."""
    validator = jsonschema.Draft202012Validator(stack_schema())
    cluster = Case().cluster()
    fine = {"homelab:cluster": cluster, "kubernetes:context": "x", "homelab:talosSecrets": {"secure": "v1:x"}}
    assert validator.is_valid({"config": fine, "encryptionsalt": "v1:x"})
    assert not validator.is_valid({"config": {**fine, "homelab:clusters": {}}})
    assert not validator.is_valid({"config": {**fine, "homelab:talosSecrets": "plain"}})
    assert not validator.is_valid({"config": {"kubernetes:context": "x"}})


def fields(model: dict[str, Any], definitions: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key of the schema with its description."""
    for definition in (model, *definitions.values()):
        yield from definition.get("properties", {}).items()


def test_every_key_says_what_it_is() -> None:
    """An editor shows the description beside the key."""
    schema = stack_schema()
    cluster = schema["properties"]["config"]["properties"]["homelab:cluster"]
    described = fields(cluster, schema["$defs"])
    assert [key for key, field in described if not field.get("description")] == []


def test_the_reference_stack_shows_every_key() -> None:
    """A person finds every key in Pulumi.homelab.yaml, if only behind a #."""
    text = (ROOT / "Pulumi.homelab.yaml").read_text(encoding="utf-8")
    schema = Cluster.model_json_schema()
    words = set(text.replace("{", " ").replace(",", " ").split())
    assert [key for key, _ in fields(schema, schema["$defs"]) if f"{key}:" not in words] == []


def test_the_reference_stack_comments_every_key() -> None:
    """The first node is commented key by key, the others repeat it."""
    lines = (ROOT / "Pulumi.homelab.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=./schemas/stack.schema.json"
    assert yaml.safe_load("\n".join(lines))["config"]["homelab:cluster"]["endpoint"]["vip"] == "10.0.50.10"
