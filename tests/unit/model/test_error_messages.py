"""Pydantic's errors in plain words, and the paths they carry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import config
from model.cluster import Cluster
from model.error_messages import closest, explain, path_of
from model.faults import Fault, Faults
from tests.cases.stack_cases import valid


def lines_of(document: object) -> list[str]:
    with pytest.raises(Faults) as caught:
        config.parse(json.dumps(document))
    return list(caught.value.lines)


@pytest.fixture
def cluster() -> Any:  # noqa: ANN401 - a YAML document
    return valid()["untagged"].cluster()


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (("nodes", 0, "disk"), "nodes.cp1.disk"),
        (("nodes", 1, "disk"), "nodes.1.disk"),
        (("nodes", 2), "nodes.2"),
        (("nodes",), "nodes"),
        (("lan", "vlanId"), "lan.vlanId"),
        ((), "homelab:cluster"),
    ],
)
def test_paths_name_nodes_where_they_have_a_name(location: tuple[int | str, ...], path: str) -> None:
    assert path_of(location, {"nodes": [{"name": "cp1"}, {"name": "a; rm"}, "text"]}) == path


def test_paths_fall_back_to_the_index() -> None:
    """A document that is no mapping, or whose nodes are no list, has no names to offer."""
    assert path_of(("nodes", 0, "disk"), None) == "nodes.0.disk"
    assert path_of(("nodes", 0, "disk"), {"nodes": "text"}) == "nodes.0.disk"


@pytest.mark.parametrize(
    ("word", "hint"),
    [("podCIDR", "; did you mean podCidr?"), ("gatway", "; did you mean gateway?"), ("colour", "")],
)
def test_a_close_word_is_offered(word: str, hint: str) -> None:
    assert closest(word, ["podCidr", "gateway", "nameservers"]) == hint


def test_a_misspelled_key_gets_the_keys_of_its_place(cluster: Any) -> None:  # noqa: ANN401
    """Inside a list of nodes the keys of a node are offered, inside dhcpRange its own."""
    cluster["nodes"][0]["labls"] = {}
    cluster["network"]["dhcpRange"] = {"start": "10.0.50.100", "end": "10.0.50.149", "stop": "10.0.50.149"}
    cluster["cilium"] = {"hubble": {"rely": True}}
    assert lines_of(cluster) == [
        "network.dhcpRange.end: unknown key",
        "nodes.cp1.labls: unknown key; did you mean labels?",
        "cilium.hubble.rely: unknown key; did you mean relay?",
    ]


def test_a_faulty_entry_does_not_make_its_list_too_short(cluster: Any) -> None:  # noqa: ANN401
    cluster["network"]["nameservers"] = ["router"]
    assert lines_of(cluster) == ["network.nameservers.0: the value is not an IPv4 address"]


def test_quotes_round_a_boolean_are_named(cluster: Any) -> None:  # noqa: ANN401
    cluster["lan"]["tagged"] = "no"
    cluster["talos"] = {"protect": 1}
    assert lines_of(cluster) == [
        "lan.tagged: must be true or false, without quotes",
        "talos.protect: must be true or false",
    ]


def test_a_choice_of_another_type_gets_no_hint(cluster: Any) -> None:  # noqa: ANN401
    cluster["nodes"][0]["role"] = 1
    assert lines_of(cluster) == ["nodes.cp1.role: must be controlplane or worker"]


def test_a_fraction_is_no_whole_number(cluster: Any) -> None:  # noqa: ANN401
    cluster["lan"]["vlanId"] = 50.5
    assert lines_of(cluster) == ["lan.vlanId: must be a whole number"]


def test_an_error_without_own_words_keeps_those_of_pydantic() -> None:
    """A kind of error that no field of today causes is still told."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(bytes).validate_python(5)
    (fault,) = explain(caught.value, Cluster, {})
    assert str(fault) == "homelab:cluster: Input should be a valid bytes"


def test_a_key_with_a_line_break_stays_one_line(cluster: Any) -> None:  # noqa: ANN401
    """What a user writes cannot forge a second line."""
    cluster["lan"]["a\nname: b"] = 1
    assert lines_of(cluster) == ["lan.a?name: b: unknown key"]


def test_equal_faults_are_told_once() -> None:
    faults = Faults([Fault("lan", "set this key"), Fault("lan", "set this key")])
    assert faults.lines == ("lan: set this key",)
    assert str(faults) == "lan: set this key"
