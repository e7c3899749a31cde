"""Random ranges and addresses: taken exactly where an independent oracle of integers says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

import config
from model.faults import Faults
from tests.property.range_algebra import AddressSpan, dotted, ranges

LAN = 10 << 24 | 50 << 8
CP1 = {"name": "cp1", "role": "controlplane", "interface": {"name": "eno1"}, "disk": "/dev/sda"}


def faults_of(document: dict[str, Any]) -> tuple[str, ...]:
    try:
        config.parse(json.dumps(document))
    except Faults as faults:
        return faults.lines
    return ()


def stack(
    nodes: AddressSpan, lan: AddressSpan, pods: AddressSpan, services: AddressSpan, *, tagged: bool
) -> dict[str, Any]:
    """Return a stack of one node that fills the ranges with hosts from their ends."""
    first, last = nodes.first + 1, nodes.end - 2
    node = {**CP1, "address": dotted(last)} | ({"lanAddress": dotted(lan.end - 2)} if tagged else {})
    pool = AddressSpan(lan.first + lan.size // 2, 31)
    return {
        "name": "homelab",
        "endpoint": {"host": "api.homelab.example"},
        "network": {
            "nodeCidr": str(nodes),
            "gateway": dotted(first),
            "nameservers": ["198.51.100.53"],
            "podCidr": str(pods),
            "nodeMask": 28,
            "serviceCidr": str(services),
        },
        "lan": {"cidr": str(lan), "vlanId": 50, "tagged": tagged},
        "nodes": [node],
        "loadBalancer": {"cidr": str(pool)},
        "ingress": {"address": dotted(pool.first)},
    }


@dataclass(frozen=True)
class Ranges:
    """The four ranges of a stack."""

    nodes: AddressSpan
    lan: AddressSpan
    pods: AddressSpan
    services: AddressSpan
    tagged: bool


@st.composite
def quartets(draw: st.DrawFn) -> Ranges:
    """Draw four ranges; one or two of them are random, so that enough stacks are taken."""
    parts = {
        "nodes": AddressSpan(10 << 24, 24),
        "lan": AddressSpan(10 << 24 | 50 << 8, 24),
        "pods": AddressSpan(10 << 24 | 244 << 16, 16),
        "services": AddressSpan(10 << 24 | 96 << 16, 12),
    }
    for name in draw(st.sets(st.sampled_from(sorted(parts)), max_size=2)):
        smallest, largest = (29, 20) if name in ("nodes", "lan") else (28, 8)
        parts[name] = draw(ranges(smallest, largest))
    tagged = draw(st.booleans())
    if not tagged and draw(st.booleans()):
        parts["lan"] = parts["nodes"]
    return Ranges(**parts, tagged=tagged)


@settings(max_examples=300)
@given(drawn=quartets())
def test_ranges_are_taken_exactly_where_they_are_disjoint(drawn: Ranges) -> None:
    """Pods, Services, nodes and LAN; nodes are inside an untagged LAN and outside a tagged one."""
    nodes, lan, pods, services = drawn.nodes, drawn.lan, drawn.pods, drawn.services
    all_ranges = (nodes, lan, pods, services)
    others = [(pods, services), *((a, b) for a in (pods, services) for b in (nodes, lan))]
    apart = not any(one.meets(other) for one, other in others)
    placed = not nodes.meets(lan) if drawn.tagged else nodes.inside(lan)
    expected = apart and placed and not any(found.is_special() for found in all_ranges)
    faults = faults_of(stack(nodes, lan, pods, services, tagged=drawn.tagged))
    # The pool sits in the middle of the LAN, perhaps on a host of a node network that is not the LAN.
    faults = tuple(line for line in faults if not line.startswith("loadBalancer.cidr:"))
    event("taken" if expected else "refused")
    assert (faults == ()) is expected, faults


@given(
    pool=ranges(32, 24, bases=[LAN], spread=255),
    node=st.integers(2, 253),
    wish=st.integers(0, 255),
    near=st.booleans(),
    edges=st.booleans(),
)
def test_a_pool_is_taken_exactly_where_it_is_free(
    *, pool: AddressSpan, node: int, wish: int, near: bool, edges: bool
) -> None:
    """In 10.0.50.0/24 with gateway .1, VIP .254 and one node: nobody else's address."""
    asked_for = pool.first + wish % pool.size if near else LAN + wish
    network = AddressSpan(LAN, 24)
    document = stack(
        network, network, AddressSpan(172 << 24 | 16 << 16, 16), AddressSpan(192 << 24, 16), tagged=False
    )
    document["endpoint"] = {"vip": "10.0.50.254"}
    document["nodes"] = [{**CP1, "address": dotted(LAN + node)}]
    document["loadBalancer"] = {"cidr": str(pool), "allowFirstLastIPs": edges}
    document["ingress"] = {"address": dotted(asked_for)}
    taken = {LAN, LAN + 1, LAN + 254, LAN + 255, LAN + node}
    free = not taken & set(range(pool.first, pool.end))
    asked = pool.first <= asked_for < pool.end
    given_out = edges or pool.prefix > 30 or asked_for not in (pool.first, pool.end - 1)
    expected = free and asked and given_out
    event("taken" if expected else "refused")
    assert (faults_of(document) == ()) is expected, faults_of(document)


@given(found=ranges(32, 0), bits=st.integers(1, 2**32 - 1))
def test_host_bits_are_refused_with_the_network_they_belong_to(found: AddressSpan, bits: int) -> None:
    """What is offered is a network that parse would take."""
    address = found.first + bits % found.size
    document = stack(*[AddressSpan(10 << 24, 24)] * 4, tagged=False)
    document["network"]["podCidr"] = f"{dotted(address)}/{found.prefix}"
    said = f"network.podCidr: {dotted(address)}/{found.prefix} has host bits set; did you mean {found}?"
    assert (said in faults_of(document)) is (address != found.first)


@given(nodes=st.integers(1, 40), mask=st.integers(20, 28), prefix=st.integers(12, 28))
def test_pod_ranges_are_taken_exactly_where_every_node_gets_one(nodes: int, mask: int, prefix: int) -> None:
    lan, pods = AddressSpan(10 << 24, 24), AddressSpan(172 << 24 | 16 << 16, prefix)
    document = stack(lan, lan, pods, AddressSpan(192 << 24, 16), tagged=False)
    document["network"]["nodeMask"] = mask
    document["nodes"] = [
        {**CP1, "name": f"n{index}", "address": dotted((10 << 24) + 10 + index)} for index in range(nodes)
    ]
    faults = [line for line in faults_of(document) if line.startswith("network.podCidr")]
    assert (faults == []) is (nodes * 2 ** (32 - mask) <= 2 ** (32 - prefix))
