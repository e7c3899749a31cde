"""Field types with the messages a person needs: networks, addresses, names, durations."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PlainSerializer, PlainValidator

if TYPE_CHECKING:
    from collections.abc import Callable

_DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>ms|s|m|h)")
_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST = 1000 * 3600.0  # seconds; Go and the Lease end somewhere above
_NUMERIC = re.compile(r"[0-9./]{1,43}")


_NEVER_A_MACHINE = {
    "0.0.0.0/8": "this host",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved and broadcast",
}
_SPECIAL = {IPv4Network(network): purpose for network, purpose in _NEVER_A_MACHINE.items()}


def _shown(value: str) -> str:
    """Return a value fit for a message: what is not an address may be a secret in the wrong place."""
    return value if _NUMERIC.fullmatch(value) else "the value"


def parse_network(value: object) -> IPv4Network:
    """Return the IPv4 network written as `address/prefix`.

    Raises:
        ValueError: on anything looser, with the repair: a bare address, a netmask, host bits.
    """
    if not isinstance(value, str) or value.count("/") != 1:
        raise ValueError("must be a network written as address/prefix, for example 10.244.0.0/16")
    if ":" in value:
        raise ValueError("must be an IPv4 network: this program builds IPv4 clusters")
    address, prefix = value.split("/")
    # Python also takes a netmask after the slash, which Talos and Cilium do not.
    if not re.fullmatch(r"[0-9]|[12][0-9]|3[0-2]", prefix):
        raise ValueError(f"{_shown(value)} needs a prefix length between 0 and 32 after the slash")
    try:
        # Not strict, so that the message can offer the network that was meant.
        network = IPv4Network((address, int(prefix)), strict=False)
    except ValueError:
        raise ValueError(f"{_shown(value)} is not an IPv4 network") from None
    if str(network.network_address) != address:
        raise ValueError(f"{value} has host bits set; did you mean {network}?")
    return network


def parse_address(value: object) -> IPv4Address:
    """Return the IPv4 address written in dotted form.

    Raises:
        ValueError: on anything else, a prefix length included.
    """
    if not isinstance(value, str):
        raise ValueError("must be an IPv4 address, for example 10.0.50.11")  # noqa: TRY004 - pydantic's type
    if ":" in value:
        raise ValueError("must be an IPv4 address: this program builds IPv4 clusters")
    try:
        address = IPv4Address(value)
    except ValueError:
        hint = "; leave the prefix length out" if "/" in value else ""
        raise ValueError(f"{_shown(value)} is not an IPv4 address{hint}") from None
    for special, purpose in _SPECIAL.items():
        if address in special:
            raise ValueError(f"{value} is in {special} ({purpose}): no machine may have such an address")
    return address


def parse_duration(value: object) -> float:
    """Return the seconds of a duration written as a whole number with a unit.

    Raises:
        ValueError: if the unit is missing or nothing is left to wait for.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a duration with a unit: 200ms, 15s, 10m or 1h")
    if int(match["number"]) == 0:
        raise ValueError("must be longer than 0")
    seconds = int(match["number"]) * _MILLISECONDS[match["unit"]] / 1000
    if seconds > _LONGEST:
        raise ValueError(f"must be at most {format_duration(_LONGEST)}")
    return seconds


def format_duration(seconds: float) -> str:
    """Return the duration as the stack file writes it, in the largest unit that divides it."""
    # Rounded, because a float holds 0.2 seconds only nearly.
    milliseconds = round(seconds * 1000)
    unit = next(unit for unit, size in _MILLISECONDS.items() if milliseconds % size == 0)
    return f"{milliseconds // _MILLISECONDS[unit]}{unit}"


def spelled(pattern: str, expected: str, *repairs: Callable[[str], str]) -> PlainValidator:
    """Return a validator of text that matches `pattern` as a whole.

    Args:
        pattern: Without anchors; the JSON Schema gets it too.
        expected: What the message says the value must be.
        repairs: Applied in order to a refused value; if the result matches, the message offers it.
    """
    whole = re.compile(pattern)

    def check(value: object) -> str:
        # `match` with `$` would let a line break at the end pass.
        if isinstance(value, str) and whole.fullmatch(value):
            return value
        repaired = value if isinstance(value, str) else ""
        for repair in repairs:
            repaired = repair(repaired)
        hint = f"; did you mean {repaired}?" if whole.fullmatch(repaired) else ""
        raise ValueError(f"must be {expected}{hint}")

    return PlainValidator(check, json_schema_input_type=Annotated[str, Field(pattern=f"^(?:{pattern})$")])


def _dashes(value: str) -> str:
    return value.replace("_", "-")


def _colons(value: str) -> str:
    return value.replace("-", ":")


_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DURATION_INPUT = Annotated[str, Field(pattern=r"^[0-9]{1,9}(ms|s|m|h)$")]
_ADDRESS_INPUT = Annotated[str, Field(pattern=r"^[0-9]{1,3}([.][0-9]{1,3}){3}$")]
_NETWORK_INPUT = Annotated[str, Field(pattern=r"^[0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}$")]

Network4 = Annotated[
    IPv4Network,
    PlainValidator(parse_network, json_schema_input_type=_NETWORK_INPUT),
    PlainSerializer(str),
]
Address4 = Annotated[
    IPv4Address,
    PlainValidator(parse_address, json_schema_input_type=_ADDRESS_INPUT),
    PlainSerializer(str),
]
Seconds = Annotated[
    float,
    PlainValidator(parse_duration, json_schema_input_type=_DURATION_INPUT),
    PlainSerializer(format_duration, when_used="json"),
]
DnsLabel = Annotated[
    str,
    spelled(
        _LABEL,
        "a DNS label: lower-case letters, digits and dashes, at most 63, no dash at either end",
        str.lower,
        _dashes,
    ),
]
DnsName = Annotated[
    str,
    spelled(rf"{_LABEL}(?:[.]{_LABEL})*", "a DNS name or an address, without scheme and port", str.lower),
]
ObjectName = Annotated[
    str,
    spelled(
        rf"{_LABEL}(?:[.]{_LABEL})*",
        "the name of a Kubernetes object: lower-case letters, digits, dashes and dots",
        str.lower,
        _dashes,
    ),
]
MacAddress = Annotated[
    str,
    spelled(
        "[0-9a-f]{2}(?::[0-9a-f]{2}){5}",
        "a MAC address: six pairs of lower-case hex digits with colons",
        str.lower,
        _colons,
    ),
]
VlanId = Annotated[int, Field(ge=1, le=4094)]
LinkName = Annotated[
    str,
    spelled(
        # The kernel keeps a name in 16 bytes, with a zero at the end.
        "[A-Za-z0-9][-_.A-Za-z0-9]{0,14}",
        "the kernel's name of a link: at most 15 letters, digits, dots, dashes or underscores",
    ),
]
DiskPath = Annotated[
    str,
    spelled("/dev/[-_.:/+=@#A-Za-z0-9]+", "a device path that starts with /dev/", "/dev/".__add__),
]
Fingerprint = Annotated[
    str,
    spelled(
        "[A-Za-z0-9+/]{43}=",
        "the fingerprint that the machine's console shows: 44 characters of base64, the last an equals sign",
    ),
]
SchematicId = Annotated[
    str,
    spelled("[0-9a-f]{64}", "an Image Factory schematic id: 64 lower-case hex digits", str.lower),
]
PrefixedVersion = Annotated[
    str,
    spelled("v[0-9]{1,4}[.][0-9]{1,4}[.][0-9]{1,4}", "a full version such as v1.13.0", "v".__add__),
]
PlainVersion = Annotated[
    str,
    spelled(
        "[0-9]{1,4}[.][0-9]{1,4}[.][0-9]{1,4}",
        "a full version such as 1.20.2",
        lambda value: value.removeprefix("v"),
    ),
]
ChartRepository = Annotated[
    str,
    spelled(
        "(?:https?|oci)://[^ @]+", "an https:// or oci:// address without credentials", "https://".__add__
    ),
]
AcknowledgementCode = Annotated[
    str,
    spelled(
        "[0-9a-f]{8}", "the acknowledgement code that the refused change printed: eight hex digits", str.lower
    ),
]
