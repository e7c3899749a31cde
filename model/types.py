"""Field types with the messages a person needs: networks, addresses, names, durations."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from pydantic import PlainValidator, Field, PlainSerializer, StringConstraints

_DURATION = re.compile(r"(?P<number>\d+)(?P<unit>ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_network(value: object) -> IPv4Network:
    """Return the IPv4 network written as `address/prefix`; anything looser is refused with the repair."""
    if not isinstance(value, str) or value.count("/") != 1:
        raise ValueError("must be a network written as address/prefix, for example 10.244.0.0/16")
    address, prefix = value.split("/")
    if not prefix.isdecimal():
        raise ValueError(f"{value!r} needs a prefix length between 0 and 32, not a netmask")
    try:
        network = IPv4Network((address, int(prefix)), strict=False)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an IPv4 network: {error}") from None
    if str(network.network_address) != address:
        raise ValueError(f"{value!r} has host bits set; did you mean {network}?")
    return network


def parse_address(value: object) -> IPv4Address:
    """Return the IPv4 address written in dotted form, without a prefix length."""
    if not isinstance(value, str):
        raise ValueError("must be an IPv4 address, for example 10.0.50.11")  # noqa: TRY004 - pydantic's type
    try:
        return IPv4Address(value)
    except ValueError:
        raise ValueError(f"{value!r} is not an IPv4 address") from None


def parse_duration(value: object) -> float:
    """Return seconds of a duration written as a whole number with a unit: 200ms, 15s, 10m, 1h."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration with a unit: 200ms, 15s, 10m or 1h")
    return int(match["number"]) * _SECONDS[match["unit"]]


Network4 = Annotated[IPv4Network, PlainValidator(parse_network, json_schema_input_type=str), PlainSerializer(str)]
Address4 = Annotated[IPv4Address, PlainValidator(parse_address, json_schema_input_type=str), PlainSerializer(str)]
Seconds = Annotated[float, PlainValidator(parse_duration, json_schema_input_type=str)]
DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
MacAddress = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
VlanId = Annotated[int, Field(ge=1, le=4094)]
LinkName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-_.A-Za-z0-9]{0,14}$")]
