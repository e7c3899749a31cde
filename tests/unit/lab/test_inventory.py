"""The lab's nodes: what LAB_NODES means, and what the stack file and the simulator get of it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml

from config import parse
from lab.inventory import InventoryError, listening, parse_nodes, simulator_document, stack_document
from lab.simulator import SimulatorError, refuse_taken

BASE = yaml.safe_load((Path(__file__).parents[3] / "Pulumi.lab.yaml").read_text())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1", ["cp1"]),
        ("3", ["cp1", "cp2", "cp3"]),
        ("3+2", ["cp1", "cp2", "cp3", "w1", "w2"]),
        (" 1+1 ", ["cp1", "w1"]),
    ],
)
def test_node_counts_are_control_planes_plus_workers(text: str, names: list[str]) -> None:
    assert [machine.name for machine in parse_nodes(text)] == names


@pytest.mark.parametrize("text", ["", "0", "0+3", "8", "3+91", "three", "3+", "3+2+1", "-1"])
def test_other_node_counts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(InventoryError, match=r"LAB_NODES='.*' must be CONTROL_PLANES or .* for example 3\+2"):
        parse_nodes(text)


@pytest.mark.parametrize("subnet", ["0", "100", "x", "-1", ""])
def test_subnets_outside_the_loopback_plan_are_refused(subnet: str) -> None:
    with pytest.raises(InventoryError, match=r"LAB_SUBNET='.*' must be a number from 1 to 99"):
        parse_nodes("1", subnet)


@pytest.mark.parametrize("text", ["1", "1+1", "3", "3+2", "7+90"])
@pytest.mark.parametrize("subnet", ["1", "10", "99"])
def test_every_lab_is_a_valid_stack(text: str, subnet: str) -> None:
    """Addresses of the largest lab collide neither with each other nor with the pool."""
    machines = parse_nodes(text, subnet)
    cluster = parse(json.dumps(stack_document(BASE, machines)["config"]["homelab:cluster"]))
    assert [(str(n.address), str(n.maintenance_address), n.interface.mac) for n in cluster.nodes] == [
        (machine.address, machine.maintenance_address, machine.mac) for machine in machines
    ]


def test_the_committed_stack_file_is_the_default_lab() -> None:
    assert stack_document(BASE, parse_nodes("3+2")) == BASE


def test_the_lab_listens_on_its_own_loopback_addresses_only() -> None:
    assert listening(parse_nodes("1+1", "12")) == [
        ("127.0.12.10", 6443),
        ("127.0.112.11", 50000),
        ("127.0.12.11", 50000),
        ("127.0.12.11", 6443),
        ("127.0.12.11", 2379),
        ("127.0.12.11", 2380),
        ("127.0.112.21", 50000),
        ("127.0.12.21", 50000),
    ]


def test_an_address_that_is_taken_is_named_with_a_way_out() -> None:
    with socket.create_server(("127.0.97.1", 0)) as taken:
        address = taken.getsockname()
        with pytest.raises(
            SimulatorError, match=rf"^127\.0\.97\.1:{address[1]} already in use; .*LAB_SUBNET=11"
        ):
            refuse_taken([address])
    refuse_taken([address])


def test_the_simulator_plays_each_machine_at_its_maintenance_address() -> None:
    document = simulator_document(parse_nodes("1+1"), "/state", {"etcd": "/bin/etcd"}, {"boot": "2s"})
    assert (document["stateDir"], document["binaries"], document["durations"]) == (
        "/state",
        {"etcd": "/bin/etcd"},
        {"boot": "2s"},
    )
    assert [(m["id"], m["address"]) for m in document["machines"]] == [
        ("cp1", "127.0.110.11"),
        ("w1", "127.0.110.21"),
    ]
