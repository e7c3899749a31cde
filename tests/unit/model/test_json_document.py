"""Texts that are no usable document: each is refused in a moment, with one line."""

from __future__ import annotations

import pytest

import config
from model.faults import Faults
from tests.cases.stack_cases import Case

TOO_DEEP = "homelab:cluster: has more than 64 mappings or lists inside each other"
LONG_NUMBER = "homelab:cluster: holds a number with thousands of digits"
BROKEN = (
    "homelab:cluster: must be a mapping of the keys in Pulumi.homelab.yaml; its JSON is broken at line 1, "
)
NO_MACHINE = "no machine may have such an address"
BASE = Case().json()[:-1]


def with_values(values: str) -> str:
    return f'{BASE}, "cilium": {{"values": {values}}}}}'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", BROKEN + "column 1"),
        ('{"name": ', BROKEN + "column 10"),
        ("homelab", BROKEN + "column 1"),
        ("[" * 100_000, TOO_DEEP),
        (with_values('{"a":' * 65 + "1" + "}" * 65), TOO_DEEP),
        (with_values('{"a":' * 5000 + "1" + "}" * 5000), TOO_DEEP),
        (with_values('{"a":' + "9" * 5000 + "}"), LONG_NUMBER),
        (f'{BASE}, "talos": {{"credentialsSerial": {"9" * 5000}}}}}', LONG_NUMBER),
        (
            f'{BASE}, "talos": {{"credentialsSerial": {2**63}}}}}',
            "talos.credentialsSerial: is a number beyond 64 bits",
        ),
        (
            f'{BASE}, "talos": {{"patches": {{"all": [{{"machine": {{"sysctls": {{"a": 1e999}}}}}}]}}}}}}',
            "talos.patches.all.0.machine.sysctls.a: is not a finite number",
        ),
    ],
)
def test_an_unusable_text_gets_one_line(text: str, line: str) -> None:
    with pytest.raises(Faults) as caught:
        config.parse(text)
    assert caught.value.lines == (line,)


@pytest.mark.parametrize("number", ["9" * 5, "9" * 5000])
@pytest.mark.parametrize(
    ("key", "example"), [("talos", "v1.13.0"), ("kubernetes", "v1.13.0"), ("cilium", "1.20.2")]
)
def test_a_version_of_many_digits_gets_one_line(key: str, example: str, number: str) -> None:
    prefix = "" if key == "cilium" else "v"
    with pytest.raises(Faults) as caught:
        config.parse(Case(changes={f"versions.{key}": f"{prefix}{number}.1.1"}).json())
    assert caught.value.lines == (f"versions.{key}: must be a full version such as {example}",)


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("lan.tagged", "yes", "lan.tagged: must be true or false, without quotes"),
        (
            "network.gateway",
            "fe80::1",
            "network.gateway: must be an IPv4 address: this program builds IPv4 clusters",
        ),
        (
            "network.gateway",
            "0.0.0.1",
            "network.gateway: 0.0.0.1 is in 0.0.0.0/8 (this host): no machine may have such an address",
        ),
        (
            "nodes.0.maintenanceAddress",
            "224.0.0.1",
            "nodes.cp1.maintenanceAddress: 224.0.0.1 is in 224.0.0.0/4 (multicast): " + NO_MACHINE,
        ),
        (
            "endpoint.vip",
            "255.255.255.255",
            "endpoint.vip: 255.255.255.255 is in 240.0.0.0/4 (reserved and broadcast): " + NO_MACHINE,
        ),
        (
            "loadBalancer.expectedServices",
            100_001,
            "loadBalancer.expectedServices: must be at most 100000",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_gets_its_line(path: str, value: object, line: str) -> None:
    with pytest.raises(Faults) as caught:
        config.parse(Case(changes={path: value}).json())
    assert caught.value.lines == (line,)


def test_a_disk_may_have_every_character_of_by_id_names() -> None:
    disk = "/dev/disk/by-id/nvme-A+B=C@D#E_F"
    assert config.parse(Case(changes={"nodes.0.disk": disk}).json()).nodes[0].disk == disk
