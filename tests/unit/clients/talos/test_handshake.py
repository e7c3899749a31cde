"""What a node looks like from outside, against real TLS servers."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clients.talos import handshake
from clients.talos.handshake import Sight, State, look
from tests.unit.steps.steps_certificates import identity
from tests.unit.steps.steps_servers import listening, speaks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS, OTHERS = identity("our-cluster"), identity("other-cluster")
ADDRESS = "127.0.0.1"


def seen(serve: Callable[[socket.socket], None]) -> Sight:
    with listening(serve) as port:
        return look(ADDRESS, OURS.certificate, port)


def test_a_node_of_ours(tmp_path: Path) -> None:
    context = identity("cp1", OURS).context(tmp_path, OURS.certificate)
    assert seen(speaks(context)) == Sight(ADDRESS, State.OURS)


def test_a_node_of_ours_may_answer_under_an_address_its_certificate_does_not_name(tmp_path: Path) -> None:
    context = identity("cp1", OURS, addresses=("10.9.9.9",)).context(tmp_path, OURS.certificate)
    assert seen(speaks(context)).state is State.OURS


def test_a_machine_in_maintenance_mode_is_known_by_its_certificate(tmp_path: Path) -> None:
    context = identity("maintenance").context(tmp_path)
    first, second = seen(speaks(context)), seen(speaks(context))
    assert first.state is State.MAINTENANCE
    assert first.identity == second.identity != ""
    assert seen(speaks(identity("maintenance").context(tmp_path))).identity != first.identity


def test_a_node_of_another_cluster(tmp_path: Path) -> None:
    context = identity("cp1", OTHERS).context(tmp_path, OTHERS.certificate)
    assert str(seen(speaks(context))) == f"{ADDRESS} is a node of another cluster"


def test_while_our_cluster_has_no_ca_a_configured_node_is_somebody_elses(tmp_path: Path) -> None:
    context = identity("cp1", OTHERS).context(tmp_path, OTHERS.certificate)
    with listening(speaks(context)) as port:
        assert look(ADDRESS, "", port) == Sight(ADDRESS, State.FOREIGN)


@pytest.mark.parametrize("starts", [timedelta(days=1), timedelta(days=-3)], ids=["not yet", "expired"])
def test_a_certificate_of_ours_that_is_not_valid_now(tmp_path: Path, starts: timedelta) -> None:
    context = identity("cp1", OURS, starts=starts).context(tmp_path, OURS.certificate)
    found = seen(speaks(context))
    assert found.state is State.CLOCK
    assert "clocks differ (certificate" in str(found)


def tls(kind: type[ssl.SSLError]) -> ssl.SSLError:
    error = kind(1, "what OpenSSL says")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


def test_nobody_listens() -> None:
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
    found = look(ADDRESS, OURS.certificate, port)
    assert str(found) == f"{ADDRESS} does not answer (connection refused)"


def test_a_server_without_tls() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.recv(1)

    assert seen(serve).state is State.STRANGER


def test_a_connection_closed_in_the_handshake() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1)

    assert seen(serve).state is State.SILENT


def test_a_connection_closed_after_the_handshake(tmp_path: Path) -> None:
    found = seen(speaks(identity("maintenance").context(tmp_path), first=b""))
    assert str(found) == f"{ADDRESS} does not answer (the connection was closed)"


def test_a_port_that_accepts_and_never_says_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "PATIENCE", 0.2)
    released = threading.Event()

    def serve(_connection: socket.socket) -> None:
        released.wait()

    with listening(serve) as port:
        found = look(ADDRESS, OURS.certificate, port)
        released.set()
    assert str(found) == f"{ADDRESS} does not answer (timed out)"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (tls(ssl.SSLEOFError), State.SILENT),
        (tls(ssl.SSLZeroReturnError), State.SILENT),
        (ConnectionResetError(104, "Connection reset by peer"), State.SILENT),
        (tls(ssl.SSLError), State.STRANGER),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("looks", [1, 2], ids=["first look", "second look"])
def test_every_way_to_fail(looks: int, error: OSError, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = ssl.SSLCertVerificationError(1, "unknown issuer")
    unknown.verify_code = 20
    errors: list[OSError] = [unknown] * (looks - 1) + [error]

    def connect(*_: object) -> ssl.SSLSocket:
        raise errors.pop(0)

    monkeypatch.setattr(handshake, "_connected", connect)
    assert look(ADDRESS, OURS.certificate).state is state
