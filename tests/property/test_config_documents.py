"""Random documents: order does not matter, dumping gives back, and nothing but faults is raised."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

import config
from model.faults import Faults
from model.warnings import advice
from tests.cases.stack_cases import refused, valid

if TYPE_CHECKING:
    from model import Cluster

DOCUMENTS = [case.cluster() for case in valid().values()]
INVALID = [case.cluster() for case in (refused("rules") | refused("shape")).values()]
TEXT = st.text("aZ09-_./: $^{\n\0é\ud800😀", max_size=6)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXT,
    st.sampled_from(
        ["10.0.50.12", "10.0.50.200/29", "0.0.0.0/0", "15s", "cp1", "true", "v1.13.0", "^eno1$", "1.20.2"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def places(document: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Return every mapping or list of the document with each of its keys."""
    if not isinstance(document, dict | list):
        return []
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    return [(document, key) for key in keys] + [place for key in keys for place in places(document[key])]


@st.composite
def mutated(draw: st.DrawFn) -> Any:  # noqa: ANN401 - JSON
    """Draw a stack of which a few values are replaced, removed, copied or given a new neighbour."""
    document = json.loads(json.dumps(draw(st.sampled_from(draw(st.sampled_from([DOCUMENTS, INVALID]))))))
    for _ in range(draw(st.integers(1, 3))):
        parent, key = draw(st.sampled_from(places({"": document})))
        if parent == {"": document}:
            continue
        match draw(st.sampled_from(["replace", "remove", "copy", "add"])):
            case "replace":
                parent[key] = draw(VALUES)
            case "remove":
                del parent[key]
            case "copy":
                other, source = draw(st.sampled_from(places(document) or [([None], 0)]))
                parent[key] = json.loads(json.dumps(other[source]))
            case _ if isinstance(parent, dict):
                parent[draw(TEXT)] = draw(VALUES)
            case _:
                parent.append(draw(VALUES))
    return document


def outcome(text: str) -> tuple[tuple[str, ...], Cluster | None]:
    """Return the faults, or the cluster after its warnings were asked for."""
    try:
        cluster = config.parse(text)
    except Faults as faults:
        return faults.lines, None
    assert all(": " in line for line in advice(cluster))
    return (), cluster


@settings(max_examples=300)
@given(document=mutated())
def test_a_mutated_document_raises_nothing_but_faults(document: Any) -> None:  # noqa: ANN401
    """Whatever stands in a stack file, a person reads lines of path and message, and no traceback."""
    lines, cluster = outcome(json.dumps(document))
    event("refused" if cluster is None else "taken")
    assert (lines == ()) is (cluster is not None)
    assert all(": " in line and line.isprintable() for line in lines)


@given(text=st.text() | VALUES.map(json.dumps))
def test_a_text_that_is_no_cluster_raises_nothing_but_faults(text: str) -> None:
    lines, cluster = outcome(text)
    assert lines
    assert cluster is None


@st.composite
def reordered(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw a valid stack, and the same with its keys and nodes in another order."""
    document = draw(st.sampled_from(DOCUMENTS))

    def shuffled(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            keys = draw(st.permutations(list(value)))
            return {key: shuffled(value[key]) for key in keys}
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    other = shuffled(document)
    other["nodes"] = draw(st.permutations(other["nodes"]))
    return document, other


def derived(cluster: Cluster) -> dict[str, object]:
    """Return all that the program takes from a config beside its plain values."""
    return {
        "control planes": [node.name for node in cluster.control_planes],
        "workers": [node.name for node in cluster.workers],
        "announcing": [node.name for node in cluster.announcing_nodes],
        "interfaces": cluster.interfaces,
        "requested": cluster.requested,
        "scheduling": cluster.schedule_on_control_planes,
        "rate limit": cluster.load_balancer.client_rate_limit,
        "endpoint": cluster.endpoint.url,
        "dns": cluster.network.dns_address,
        "advice": advice(cluster),
    }


@given(pair=reordered())
def test_the_order_of_keys_and_nodes_does_not_matter(pair: tuple[Any, Any]) -> None:
    document, other = (config.parse(json.dumps(one)) for one in pair)
    assert derived(document) == derived(other)


@given(pair=reordered())
def test_dumping_a_cluster_gives_it_back(pair: tuple[Any, Any]) -> None:
    """Load after dump is the identity, through JSON and through the YAML of a stack file."""
    cluster = config.parse(json.dumps(pair[1]))
    dumped = cluster.model_dump_json(by_alias=True)
    assert config.parse(dumped) == cluster
    again = json.dumps(yaml.safe_load(yaml.safe_dump(json.loads(dumped))))
    assert config.parse(again) == cluster


@given(milliseconds=st.integers(1, 10**8))
def test_durations_survive_a_round_trip(milliseconds: int) -> None:
    """Every timeout that can be written is read back to the millisecond."""
    document = {**DOCUMENTS[0], "timeouts": {"etcd": f"{milliseconds}ms"}}
    cluster = config.parse(json.dumps(document))
    assert cluster.timeouts.etcd == milliseconds / 1000
    assert config.parse(cluster.model_dump_json(by_alias=True)) == cluster
