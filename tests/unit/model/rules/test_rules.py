"""The rules as pure functions: what the whole stack files do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest

import config
from model.cilium import Cilium
from model.faults import Faults
from model.load_balancer import LoadBalancer
from model.network import Endpoint, Lan, Network
from model.nodes import Node
from model.rules import RULES, broken_rules
from model.rules.cluster_ranges import ranges_are_disjoint
from model.rules.endpoints import endpoint_is_not_in_the_pool
from model.rules.labels import policy_selects_a_node
from model.rules.owned_keys import contradictions
from tests.cases.stack_cases import valid

LEASE_TOO_SHORT = (
    "loadBalancer.leases.duration: 4s must be longer than renewDeadline 5s, "
    "or a lease ends before its holder gives up; use 15s"
)
POOL_HOLDS_NODE = (
    "loadBalancer.cidr: 10.0.50.200/29 contains 10.0.50.201, the address of node w1 (nodes.w1.address): "
    "move one of them"
)
NO_ENDPOINT = (
    "endpoint: set exactly one of vip (an address Talos moves between control planes) and host "
    "(your own load balancer or DNS name)"
)
BAD_SELECTORS = (
    (
        "loadBalancer.nodeSelector: '-lan' is not the key of a label: [prefix/]name, "
        "the name at most 63 characters"
    ),
    (
        "ingress.selector.app: is not the value of a label: at most 63 letters, digits, "
        "dots, dashes or underscores"
    ),
    (
        "loadBalancer.nodeSelector: no node has the labels -lan=x: nothing would announce the pool; "
        "set them under labels of a node, or select others"
    ),
)
PODS_MEET_LAN = (
    "network.podCidr: 10.0.0.0/16 overlaps lan.cidr 10.0.50.0/24: choose another range, "
    "for example 10.1.0.0/16"
)
OWNED = {"hubble.enabled": "see cilium.hubble", "hubble.ui.enabled": "see cilium.hubble", "agent": "needed"}


@pytest.fixture
def cluster() -> Any:  # noqa: ANN401 - a YAML document
    return valid()["untagged"].cluster()


def lines_of(document: object) -> list[str]:
    with pytest.raises(Faults) as caught:
        config.parse(json.dumps(document))
    return list(caught.value.lines)


def read(model: Any, **values: object) -> Any:  # noqa: ANN401 - one of several models
    return model.model_validate_json(json.dumps(values))


def test_each_rule_says_what_it_is_for() -> None:
    """A rule's name and sentence are the documentation of the config."""
    assert [rule.__name__ for rule in RULES if not rule.__doc__] == []
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


def test_no_part_means_no_fault() -> None:
    """Rules wait for the parts they need."""
    assert list(broken_rules({})) == []


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, []),
        ({"hubble": {}}, []),
        ({"hubble": {"metrics": {"enabled": ["dns"]}}}, []),
        ({"agents": False}, []),
        ({"agent": False}, [("agent", "needed")]),
        ({"hubble": {"enabled": True}}, [("hubble.enabled", "see cilium.hubble")]),
        ({"hubble.enabled": True}, [("hubble.enabled", "see cilium.hubble")]),
        ({"hubble": {"ui": {"enabled": {"deep": 1}}}}, [("hubble.ui.enabled", "see cilium.hubble")]),
        ({"hubble": None}, [("hubble", "see cilium.hubble")]),
        ({"hubble": {"ui": {"$patch": "delete"}}}, [("hubble.ui", "see cilium.hubble")]),
        ({"hubble": {"$patch": "replace", "relay": {}}}, [("hubble", "see cilium.hubble")]),
    ],
)
def test_owned_paths_are_found_wherever_a_tree_touches_them(
    tree: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    """Setting below, at or above an owned path counts; setting beside it does not."""
    assert list(contradictions(tree, OWNED)) == expected


def test_a_faulty_part_hides_only_the_rules_that_need_it(cluster: Any) -> None:  # noqa: ANN401
    """A mistyped LAN leaves the rules of versions, leases and nodes at work."""
    cluster["lan"] = {"cidr": "10.0.50.1/24", "vlanId": 50}
    cluster["versions"] = {"talos": "v1.11.0", "kubernetes": "v1.33.0"}
    cluster["loadBalancer"]["leases"] = {"duration": "4s"}
    cluster["nodes"][3]["disk"] = None
    assert lines_of(cluster) == [
        "lan.cidr: 10.0.50.1/24 has host bits set; did you mean 10.0.50.0/24?",
        "nodes.w1.disk: set exactly one of disk and diskSelector",
        LEASE_TOO_SHORT,
        "versions.talos: v1.11.0 is not in the support matrix: this program knows Talos 1.12, 1.13",
    ]


def test_a_faulty_node_hides_no_fault_of_the_others(cluster: Any) -> None:  # noqa: ANN401
    """Sound nodes are compared; whether a control plane is missing can only be told of all."""
    cluster["nodes"] = [
        {**cluster["nodes"][0], "role": "master"},
        {**cluster["nodes"][3], "address": "10.0.50.201"},
    ]
    assert lines_of(cluster) == [
        "nodes.cp1.role: must be controlplane or worker",
        POOL_HOLDS_NODE,
    ]


def test_nodes_that_are_no_list_leave_the_other_rules_at_work(cluster: Any) -> None:  # noqa: ANN401
    cluster["nodes"] = {"cp1": cluster["nodes"][0]}
    cluster["endpoint"] = {}
    assert lines_of(cluster) == [
        "nodes: must be a list",
        NO_ENDPOINT,
    ]


def test_a_misspelled_key_does_not_hide_the_faults_beside_it(cluster: Any) -> None:  # noqa: ANN401
    cluster["nodes"][0] |= {"adress": "10.0.50.11", "disk": None}
    assert lines_of(cluster) == [
        "nodes.cp1.adress: unknown key; did you mean address?",
        "nodes.cp1.disk: set exactly one of disk and diskSelector",
    ]


def test_a_range_without_a_free_neighbour_gets_no_example() -> None:
    """Nothing is invented: in half of all addresses there is no private range of that size."""
    network = read(
        Network,
        nodeCidr="10.0.10.0/24",
        gateway="10.0.10.1",
        nameservers=["10.0.10.1"],
        podCidr="0.0.0.0/1",
        serviceCidr="192.168.0.0/16",
    )
    assert [str(fault) for fault in ranges_are_disjoint(network)] == [
        "network.podCidr: 0.0.0.0/1 overlaps network.nodeCidr 10.0.10.0/24: choose another range",
    ]


def test_ranges_are_compared_with_the_lan_once() -> None:
    """What meets a node network inside the LAN meets the LAN: that is one fault."""
    network = read(
        Network,
        nodeCidr="10.0.50.0/25",
        gateway="10.0.50.1",
        nameservers=["10.0.50.1"],
        podCidr="10.0.0.0/16",
        serviceCidr="10.244.0.0/16",
    )
    lan = read(Lan, cidr="10.0.50.0/24", vlanId=50)
    assert [str(fault) for fault in ranges_are_disjoint(network, lan)] == [
        PODS_MEET_LAN,
    ]


def test_a_host_name_is_in_no_pool() -> None:
    balancer = read(LoadBalancer, cidr="10.0.50.200/29")
    assert list(endpoint_is_not_in_the_pool(Endpoint(host="api.homelab.example"), balancer)) == []


def test_labels_that_nodes_get_by_themselves_can_be_selected() -> None:
    """Host name, operating system and the control plane's role need no entry under labels."""
    node = read(
        Node,
        name="cp1",
        role="controlplane",
        address="10.0.50.11",
        interface={"name": "eno1"},
        disk="/dev/sda",
    )
    for key, value in (("kubernetes.io/hostname", "cp1"), ("node-role.kubernetes.io/control-plane", "")):
        balancer = read(LoadBalancer, cidr="10.0.50.200/29", nodeSelector={key: value})
        assert list(policy_selects_a_node(balancer, (node,))) == []


def test_selectors_are_labels_too(cluster: Any) -> None:  # noqa: ANN401
    """A malformed selector is told apart from one that selects nothing."""
    cluster["ingress"]["selector"] = {"app": "a b"}
    cluster["loadBalancer"]["nodeSelector"] = {"-lan": "x"}
    assert lines_of(cluster) == [
        *BAD_SELECTORS,
    ]


@pytest.mark.parametrize("path", ["", "~/charts", "../charts/cilium", "charts/../../cilium"])
def test_a_chart_outside_the_project_is_refused(cluster: Any, path: str) -> None:  # noqa: ANN401
    cluster["cilium"] = {"chart": {"path": path}}
    assert lines_of(cluster) == [
        "cilium.chart.path: must be a path inside the project, for example charts/cilium",
    ]


def test_false_is_a_value_of_the_type_and_a_fault_of_the_rules() -> None:
    """So that its message can say what would follow."""
    assert read(Cilium, kubeProxyReplacement=False).kube_proxy_replacement is False
