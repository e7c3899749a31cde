"""TCP, HTTP and ARP as this machine sees them; only on loopback."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Self

import pytest

from ops import lan_probe
from ops.lan_probe import Interface
from ops.table import Verdict
from tests.unit.steps.steps_servers import listening

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPBACK = IPv4Address("127.0.0.1")
VIP = IPv4Address("10.0.50.200")
LAN = IPv4Network("10.0.50.0/24")
CARD = Interface("eno1", bytes.fromhex("020000000001"), IPv4Address("10.0.50.9").packed)
NODE, OTHER = "02:00:00:00:00:0b", "02:00:00:00:00:0c"


def says(words: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(words)

    return serve


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_a_port_that_opens() -> None:
    with listening(says(b"")) as port:
        row = lan_probe.tcp(LOOPBACK, port)
    assert (row.check, row.verdict) == (f"127.0.0.1:{port} opens", Verdict.PASS)
    assert row.evidence.startswith("connected in ")


def test_a_port_that_refuses() -> None:
    row = lan_probe.tcp(LOOPBACK, free_port())
    assert (row.verdict, row.evidence) == (Verdict.FAIL, "connection refused")


def test_any_http_status_is_an_answer() -> None:
    with listening(says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")) as port:
        row = lan_probe.web(LOOPBACK, port)
    assert (row.check, row.verdict, row.evidence) == (
        f"http://127.0.0.1:{port} answers",
        Verdict.PASS,
        "HTTP 404",
    )


def test_what_is_no_http_and_what_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(says(b"SSH-2.0\r\n")) as port:
        assert "SSH-2.0" in lan_probe.web(LOOPBACK, port).evidence
    monkeypatch.setattr(lan_probe, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        row = lan_probe.web(LOOPBACK, server.getsockname()[1])
    assert row.evidence == "no answer within 0 s"


def reply(mac: str, address: IPv4Address, operation: int = 2) -> bytes:
    sender = bytes.fromhex(mac.replace(":", ""))
    body = struct.pack(
        "!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, sender, address.packed, CARD.mac, CARD.address
    )
    return CARD.mac + sender + b"\x08\x06" + body


def test_the_frame_that_asks() -> None:
    frame = lan_probe.arp_request(CARD, VIP)
    assert frame[:14] == b"\xff" * 6 + CARD.mac + b"\x08\x06"
    assert frame[14:].hex() == "00010800060400010200000000010a0032090000000000000a0032c8"


@pytest.mark.parametrize(
    ("frame", "mac"),
    [
        (reply(NODE, VIP), NODE),
        (reply(NODE, VIP + 1), ""),
        (reply(NODE, VIP, operation=1), ""),
        (b"short", ""),
    ],
)
def test_only_replies_for_the_address_count(frame: bytes, mac: str) -> None:
    assert lan_probe.sender_of_reply(frame, VIP) == mac


class Wire:
    """A raw socket whose other side answers with these frames, a list for each request."""

    def __init__(self, *answers: list[bytes]) -> None:
        self.answers = list(answers)
        self.waiting: list[bytes] = []
        self.sent: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def bind(self, where: tuple[str, int]) -> None:
        assert where == ("eno1", 0)

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)
        self.waiting = self.answers.pop(0) if self.answers else []

    def settimeout(self, seconds: float) -> None:
        assert 0 < seconds <= lan_probe.PATIENCE

    def recv(self, _size: int) -> bytes:
        if not self.waiting:
            raise TimeoutError
        return self.waiting.pop(0)


@pytest.fixture
def on_the_lan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan_probe, "lan_interface", lambda _lan: CARD)


@pytest.mark.parametrize(
    ("answers", "verdict", "evidence"),
    [
        ([[reply(NODE, VIP)]], Verdict.PASS, f"{NODE} on eno1"),
        ([[], [b"noise", reply(NODE, VIP), reply(NODE, VIP)]], Verdict.PASS, f"{NODE} on eno1"),
        ([[reply(OTHER, VIP), reply(NODE, VIP)]], Verdict.FAIL, f"several answer: {NODE}, {OTHER}"),
        ([], Verdict.FAIL, "nobody answers on eno1"),
    ],
)
def test_who_answers(
    monkeypatch: pytest.MonkeyPatch,
    on_the_lan: None,
    answers: list[list[bytes]],
    verdict: Verdict,
    evidence: str,
) -> None:
    wire = Wire(*answers)
    monkeypatch.setattr(socket, "socket", lambda *_: wire)
    row = lan_probe.arp(VIP, LAN)
    assert (row.check, row.verdict, row.evidence) == (f"{VIP} answers ARP", verdict, evidence)
    assert set(wire.sent) == {lan_probe.arp_request(CARD, VIP)}
    assert len(wire.sent) == (lan_probe.ARP_TRIES if not answers else len(answers))


def test_replies_are_collected_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lan_probe, "PATIENCE", 0.0)
    wire = Wire()
    assert lan_probe._replies(wire, VIP) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "verdict", "evidence"),
    [
        (PermissionError(1, "Operation not permitted"), Verdict.NOT_APPLICABLE, "raw sockets need root"),
        (OSError(100, "Network is down"), Verdict.FAIL, "eno1: network is down"),
    ],
)
def test_a_socket_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, on_the_lan: None, error: OSError, verdict: Verdict, evidence: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket, "socket", refuse)
    row = lan_probe.arp(VIP, LAN)
    assert (row.verdict, row.evidence) == (verdict, evidence)


def test_a_machine_outside_the_lan() -> None:
    row = lan_probe.arp(IPv4Address("203.0.113.9"), IPv4Network("203.0.113.0/24"))
    assert (row.verdict, row.evidence) == (
        Verdict.NOT_APPLICABLE,
        "this machine has no address in 203.0.113.0/24",
    )


def test_the_link_of_this_machine_in_a_network() -> None:
    found = lan_probe.lan_interface(IPv4Network("127.0.0.0/8"))
    assert found == Interface("lo", b"\0" * 6, LOOPBACK.packed)


def test_links_without_an_address_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "nolink0")])
    assert lan_probe.lan_interface(LAN) is None
