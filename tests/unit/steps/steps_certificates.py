"""Makes certificates for TLS servers with the standard library alone: ECDSA on P-256, X.509 in DER."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
import ssl
import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_A = _P - 3
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None

_EC_KEY, _P256, _ECDSA_SHA256 = "1.2.840.10045.2.1", "1.2.840.10045.3.1.7", "1.2.840.10045.4.3.2"
_COMMON_NAME, _BASIC_CONSTRAINTS, _ALT_NAME = "2.5.4.3", "2.5.29.19", "2.5.29.17"
_INTEGER, _BITS, _OCTETS, _OID, _UTF8, _TIME, _SEQUENCE, _SET = 2, 3, 4, 6, 12, 24, 48, 49


def _add(left: Point, right: Point) -> Point:
    if left is None or right is None:
        return left or right
    if left[0] == right[0] and (left[1] + right[1]) % _P == 0:
        return None
    if left == right:
        slope = (3 * left[0] ** 2 + _A) * pow(2 * left[1], -1, _P)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, _P)
    x = (slope**2 - left[0] - right[0]) % _P
    return x, (slope * (left[0] - x) - left[1]) % _P


def _times(number: int, point: Point) -> tuple[int, int]:
    result: Point = None
    while number:
        if number & 1:
            result = _add(result, point)
        point, number = _add(point, point), number >> 1
    assert result is not None
    return result


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(length)]) + length + body


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    encoded = bytes([40 * first + second])
    for number in rest:
        digits = [number & 127]
        while number := number >> 7:
            digits.append(number & 127 | 128)
        encoded += bytes(reversed(digits))
    return _der(_OID, encoded)


def _time(moment: datetime) -> bytes:
    return _der(_TIME, moment.strftime("%Y%m%d%H%M%SZ").encode())


def _name(text: str) -> bytes:
    return _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _oid(_COMMON_NAME), _der(_UTF8, text.encode()))))


@dataclass(frozen=True)
class Key:
    """A private key."""

    number: int = field(default_factory=lambda: secrets.randbelow(_N - 1) + 1)

    @property
    def point(self) -> bytes:
        x, y = _times(self.number, _G)
        return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    @property
    def pem(self) -> str:
        parameters = _der(0xA0, _oid(_P256))
        number = _der(_OCTETS, self.number.to_bytes(32, "big"))
        return _pem("EC PRIVATE KEY", _der(_SEQUENCE, _integer(1), number, parameters))

    def sign(self, message: bytes) -> bytes:
        digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
        nonce = secrets.randbelow(_N - 1) + 1
        r = _times(nonce, _G)[0] % _N
        return _der(_SEQUENCE, _integer(r), _integer(pow(nonce, -1, _N) * (digest + r * self.number) % _N))


@dataclass(frozen=True)
class Identity:
    """A certificate with its key."""

    name: str
    certificate: str
    key: Key

    def context(self, folder: Path, client_ca: str = "") -> ssl.SSLContext:
        """Return a server context that wants client certificates of the CA, if one is given."""
        file = folder / f"{self.name}-{secrets.token_hex(4)}.pem"
        file.write_text(self.certificate + self.key.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if client_ca:
            context.load_verify_locations(cadata=client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def identity(
    name: str,
    issuer: Identity | None = None,
    *,
    addresses: tuple[str, ...] = ("127.0.0.1",),
    starts: timedelta = timedelta(hours=-1),
    lasts: timedelta = timedelta(days=1),
) -> Identity:
    """Return a new key with a certificate: signed by the issuer, or a CA that signs itself."""
    key = Key()
    signer = issuer or Identity(name, "", key)
    begin = datetime.now(UTC) + starts
    algorithm = _der(_SEQUENCE, _oid(_ECDSA_SHA256))
    public = _der(_SEQUENCE, _der(_SEQUENCE, _oid(_EC_KEY), _oid(_P256)), _der(_BITS, b"\0", key.point))
    body = _der(
        _SEQUENCE,
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(64)),
        algorithm,
        _name(signer.name),
        _der(_SEQUENCE, _time(begin), _time(begin + lasts)),
        _name(name),
        public,
        _der(0xA3, _der(_SEQUENCE, *_extensions(issuer is None, addresses))),
    )
    certificate = _der(_SEQUENCE, body, algorithm, _der(_BITS, b"\0", signer.key.sign(body)))
    return Identity(name, _pem("CERTIFICATE", certificate), key)


def _extensions(authority: bool, addresses: tuple[str, ...]) -> tuple[bytes, ...]:  # noqa: FBT001
    constraints = _der(_SEQUENCE, *([_der(1, b"\xff")] if authority else []))
    names = [_der(0x87, ipaddress.ip_address(address).packed) for address in addresses]
    return (
        _der(_SEQUENCE, _oid(_BASIC_CONSTRAINTS), _der(1, b"\xff"), _der(_OCTETS, constraints)),
        _der(_SEQUENCE, _oid(_ALT_NAME), _der(_OCTETS, _der(_SEQUENCE, *names))),
    )


def _pem(kind: str, data: bytes) -> str:
    body = "\n".join(textwrap.wrap(base64.b64encode(data).decode(), 64))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"
