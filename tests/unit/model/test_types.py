"""Field types: what they take, what they say when they do not."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from model.types import (
    DnsLabel,
    LinkName,
    MacAddress,
    PlainVersion,
    PrefixedVersion,
    format_duration,
    parse_address,
    parse_duration,
    parse_network,
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("192.168.1.70/28", "192.168.1.70/28 has host bits set; did you mean 192.168.1.64/28?"),
        ("10.0.0.0/33", "10.0.0.0/33 needs a prefix length between 0 and 32 after the slash"),
        ("10.0.0.0/٣", "the value needs a prefix length between 0 and 32 after the slash"),
        ("10.0.50.300/29", "10.0.50.300/29 is not an IPv4 network"),
        ("s3cret/16", "the value is not an IPv4 network"),
        ("2001:db8::/32", "must be an IPv4 network: this program builds IPv4 clusters"),
        (True, "must be a network written as address/prefix, for example 10.244.0.0/16"),
    ],
)
def test_a_loose_network_is_refused(value: object, message: str) -> None:
    """The message offers the repair and never repeats what may be a secret."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_network(value)


def test_a_network_is_read() -> None:
    assert parse_network("10.0.50.200/29") == IPv4Network("10.0.50.200/29")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("10.0.50.11/24", "10.0.50.11/24 is not an IPv4 address; leave the prefix length out"),
        ("10.0.50.011", "10.0.50.011 is not an IPv4 address"),
        ("hunter2", "the value is not an IPv4 address"),
        (167772160, "must be an IPv4 address, for example 10.0.50.11"),
    ],
)
def test_a_loose_address_is_refused(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_address(value)


def test_an_address_is_read() -> None:
    assert parse_address("10.0.50.11") == IPv4Address("10.0.50.11")


@pytest.mark.parametrize(
    ("text", "seconds", "again"),
    [
        ("200ms", 0.2, "200ms"),
        ("15s", 15.0, "15s"),
        ("60s", 60.0, "1m"),
        ("10m", 600.0, "10m"),
        ("1h", 3600.0, "1h"),
        ("1500ms", 1.5, "1500ms"),
    ],
)
def test_durations_are_read_and_written(text: str, seconds: float, again: str) -> None:
    """A duration is written in the largest unit that divides it."""
    assert parse_duration(text) == seconds
    assert format_duration(seconds) == again


@pytest.mark.parametrize("value", ["15", "1.5s", "-1s", "1 s", "", "1d", 15, None])
def test_a_duration_needs_a_whole_number_and_a_unit(value: object) -> None:
    with pytest.raises(ValueError, match=r"^must be a duration with a unit: 200ms, 15s, 10m or 1h$"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        (DnsLabel, "CP_1", "; did you mean cp-1?"),
        (DnsLabel, "-cp1", ""),
        (DnsLabel, "c" * 64, ""),
        (DnsLabel, "cp1\n", ""),
        (MacAddress, "52-54-00-AB-CD-EF", "; did you mean 52:54:00:ab:cd:ef?"),
        (MacAddress, 5254, ""),
        (LinkName, "a" * 16, ""),
        (PrefixedVersion, "1.13.0", "; did you mean v1.13.0?"),
        (PrefixedVersion, "v1.13", ""),
        (PlainVersion, "v1.20.2", "; did you mean 1.20.2?"),
        (PlainVersion, "latest", ""),
    ],
)
def test_misspelled_text_is_refused_with_its_repair(kind: Any, value: object, hint: str) -> None:  # noqa: ANN401
    """The repair is offered only where it would be taken."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (error,) = caught.value.errors()
    _, _, said = error["msg"].partition("; did you mean")
    assert (f"; did you mean{said}" if said else "") == hint
    assert repr(value) not in error["msg"]
