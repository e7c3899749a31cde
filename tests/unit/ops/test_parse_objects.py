"""Facts out of objects of the Kubernetes API and of Talos."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from ops import parse_objects
from ops.facts import Block, FieldEntry, Lease, Link, Port, Requirement, Selector
from tests.unit.ops.ops_objects import (
    RENEWED,
    SOON_AFTER,
    condition,
    endpoints,
    lease,
    node,
    policy,
    pool,
    service,
)

IN_ZONE = Requirement("zone", "In", ("a", "b"))


@pytest.mark.parametrize(
    ("requirement", "labels", "holds"),
    [
        (IN_ZONE, {"zone": "a"}, True),
        (IN_ZONE, {"zone": "c"}, False),
        (IN_ZONE, {}, False),
        (Requirement("zone", "NotIn", ("a",)), {}, True),
        (Requirement("zone", "NotIn", ("a",)), {"zone": "a"}, False),
        (Requirement("zone", "Exists"), {"zone": ""}, True),
        (Requirement("zone", "Exists"), {}, False),
        (Requirement("zone", "DoesNotExist"), {}, True),
        (Requirement("zone", "DoesNotExist"), {"zone": "a"}, False),
        (Requirement("zone", "Gt", ("1",)), {"zone": "2"}, False),
    ],
)
def test_selectors_match_as_in_kubernetes(
    requirement: Requirement, labels: dict[str, str], *, holds: bool
) -> None:
    assert Selector((requirement,)).matches(labels) is holds


def test_a_selector_is_shown_as_people_write_it() -> None:
    found = parse_objects.selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "x", "operator": "Exists"}],
        }
    )
    assert str(found) == "app In (web), x Exists"
    assert str(parse_objects.selector(None)) == "everything"
    assert parse_objects.selector(None).matches({})


@pytest.mark.parametrize(
    ("entry", "reserve", "expected"),
    [
        ({"cidr": "10.0.50.200/29"}, False, ("10.0.50.200", "10.0.50.207")),
        ({"cidr": "10.0.50.203/29"}, False, ("10.0.50.200", "10.0.50.207")),
        ({"cidr": "10.0.50.200/29"}, True, ("10.0.50.201", "10.0.50.206")),
        ({"cidr": "10.0.50.200/31"}, True, ("10.0.50.200", "10.0.50.201")),
        ({"start": "10.0.50.200"}, True, ("10.0.50.200", "10.0.50.200")),
        ({"start": "10.0.50.200", "stop": "10.0.50.203"}, True, ("10.0.50.200", "10.0.50.203")),
    ],
)
def test_blocks_are_read_as_cilium_reads_them(
    entry: dict[str, str], expected: tuple[str, str], *, reserve: bool
) -> None:
    assert parse_objects.block(entry, reserve_ends=reserve) == Block(*(IPv4Address(end) for end in expected))


@pytest.mark.parametrize("entry", [{"cidr": "fd00::/64"}, {"start": "fd00::1"}, {}])
def test_what_is_not_ipv4_is_left_out(entry: dict[str, str]) -> None:
    assert parse_objects.block(entry, reserve_ends=False) is None


def test_a_pool() -> None:
    item = pool("a", {"cidr": "10.0.50.200/29"}, {"cidr": "fd00::/64"}, allowFirstLastIPs="No", disabled=True)
    item["metadata"]["managedFields"] = [
        {"manager": "kustomize-controller"},
        {"manager": "cilium-operator", "subresource": "status"},
        {"manager": "kubectl"},
    ]
    found = parse_objects.pool(item)
    assert found.blocks == (Block(IPv4Address("10.0.50.201"), IPv4Address("10.0.50.206")),)
    assert (found.disabled, found.lacks, found.available) == (True, "", 7)
    assert found.fields == (FieldEntry(0, "kustomize-controller"), FieldEntry(2, "kubectl"))
    assert found.holds(IPv4Address("10.0.50.206"))
    assert not found.holds(IPv4Address("10.0.50.207"))


def test_a_pool_that_cilium_has_not_counted() -> None:
    found = parse_objects.pool({"metadata": {"name": "a", "generation": 1}, "spec": {}})
    assert (found.available, found.lacks) == (None, "pool a has not been looked at by cilium-operator")


def test_a_count_that_is_no_number_is_unknown() -> None:
    assert parse_objects.pool(pool("a", free="many")).available is None


def test_a_policy_with_a_broken_expression() -> None:
    bad = condition("io.cilium/bad-interface-regex", "True", message="missing )")
    found = parse_objects.policy(policy("a", bad, condition("io.cilium/bad-node-selector", "False")))
    assert found.faults == ("io.cilium/bad-interface-regex: missing )",)
    assert found.load_balancer_ips is False  # off unless the policy says otherwise


def test_a_service_asks_by_both_annotations_and_by_the_old_field() -> None:
    item = service(
        "ns/web",
        "10.0.50.201",
        annotations={
            "lbipam.cilium.io/ips": "10.0.50.200, fd00::1",
            "io.cilium/lb-ipam-ips": "10.0.50.202,10.0.50.200",
            "lbipam.cilium.io/sharing-key": "k",
            "lbipam.cilium.io/sharing-cross-namespace": "a, b",
        },
        loadBalancerIP="10.0.50.203",
        externalTrafficPolicy="Local",
        loadBalancerClass="other",
        selector={"app": "web"},
    )
    found = parse_objects.service(item, [])
    assert [str(address) for address in found.requested] == ["10.0.50.200", "10.0.50.202", "10.0.50.203"]
    assert found.addresses == (IPv4Address("10.0.50.201"),)
    assert (found.sharing_key, found.sharing_namespaces) == ("k", ("a", "b"))
    assert (found.local, found.load_balancer_class) == (True, "other")
    assert found.ports == (Port(80),)
    assert str(found.ports[0]) == "80/TCP"
    assert str(found.pods) == "app In (web)"
    assert (found.judged, found.reason) == (True, "")


def test_the_reason_of_an_unsatisfied_request_is_kept() -> None:
    item = service("ns/web")
    item["status"]["conditions"] = [condition("cilium.io/IPAMRequestSatisfied", "False", "out_of_ips")]
    assert parse_objects.service(item, []).reason == "out_of_ips"
    item["status"] = {}
    assert parse_objects.service(item, []).judged is False


def test_only_ready_endpoints_of_the_service_count() -> None:
    slices = [
        endpoints("ns/web", ("w1", "10.244.0.1"), ("", "10.244.0.2"), ready=None),
        endpoints("ns/web", ("w2", "10.244.0.3"), ready=False),
        endpoints("ns/other", ("w3", "10.244.0.4")),
        endpoints("other/web", ("w4", "10.244.0.5")),
    ]
    found = parse_objects.service(service("ns/web"), slices)
    assert found.backend_nodes == {"w1"}
    assert found.backend_addresses == {"10.244.0.1", "10.244.0.2"}


def test_a_lease_by_the_servers_own_clock() -> None:
    assert parse_objects.lease("l", lease("w1"), SOON_AFTER) == Lease("w1")
    late = "Mon, 23 Nov 2026 10:05:00 GMT"
    assert parse_objects.lease("l", lease("w1"), late).lacks == f"lease l was last renewed by w1 at {RENEWED}"
    assert parse_objects.lease("l", None, SOON_AFTER) == Lease("", "lease l does not exist")


def test_a_node() -> None:
    assert parse_objects.node(node("w1", {"a": "b"})).ready
    assert not parse_objects.node(node("w1", ready=False)).ready


def test_links_of_talos_with_their_addresses() -> None:
    links = [
        {"metadata": {"id": "vlan50"}, "spec": {"operationalState": "up"}},
        {"metadata": {"id": "eno1"}, "spec": {"operationalState": "down"}},
    ]
    addresses = [
        {"spec": {"address": "10.0.50.21/24", "linkName": "vlan50"}},
        {"spec": {"address": "fe80::1/64", "linkName": "vlan50"}},
        {"spec": {"address": "127.0.0.1/8", "linkName": "lo"}},
    ]
    found = parse_objects.links(links, addresses)
    assert found == (Link("eno1", up=False), Link("vlan50", (IPv4Interface("10.0.50.21/24"),)))
    assert found[1].inside(IPv4Network("10.0.50.0/24"))
    assert not found[0].inside(IPv4Network("10.0.50.0/24"))
