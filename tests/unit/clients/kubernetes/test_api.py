"""The Kubernetes client against a real HTTPS server."""

from __future__ import annotations

import base64
import http.client
import json
import socket
from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from clients.kubernetes.api import Kube, Unanswered, condition, is_true, open_kube, server_address
from tests.unit.steps.steps_certificates import Identity, identity
from tests.unit.steps.steps_servers import ApiServer, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CA, OTHER = identity("kubernetes"), identity("other")
SERVER, ADMIN = identity("apiserver", CA), identity("admin", CA)
PATH = "/api/v1/nodes"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(port: int, ca: Identity = CA, user: dict[str, str] | None = None) -> str:
    certificate = {
        "client-certificate-data": encoded(ADMIN.certificate),
        "client-key-data": encoded(ADMIN.key.pem),
    }
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": encoded(ca.certificate)}
    return json.dumps({"clusters": [{"cluster": cluster}], "users": [{"user": user or certificate}]})


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer()
    context = SERVER.context(tmp_path)
    context.load_verify_locations(cadata=CA.certificate)
    context.verify_mode = context.verify_mode.CERT_OPTIONAL
    with server.running(context):
        yield server


def client(api: ApiServer) -> Kube:
    return open_kube(kubeconfig(api.port))


def test_a_client_certificate_is_shown(api: ApiServer) -> None:
    api.put(PATH, {"items": [{"metadata": {"name": "cp1"}}]})
    assert client(api).items(PATH) == [{"metadata": {"name": "cp1"}}]
    assert client(api).get(PATH)["items"]
    (path, headers, known), _ = api.requests
    assert (path, known) == (PATH, True)
    assert "Authorization" not in headers


def test_a_token_is_sent(api: ApiServer) -> None:
    api.put(PATH, {})
    assert open_kube(kubeconfig(api.port, user={"token": "t0ken"})).items(PATH) == []
    ((_, headers, known),) = api.requests
    assert headers["Authorization"] == "Bearer t0ken"
    assert not known


def test_what_is_missing_is_nothing(api: ApiServer) -> None:
    assert client(api).find("/api/v1/namespaces/none") is None
    with pytest.raises(Unanswered, match=r"^/api/v1/namespaces/none does not exist \(404\)$"):
        client(api).get("/api/v1/namespaces/none")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, {"message": "Unauthorized"}, "the API server refuses the kubeconfig's credentials (401)"),
        (403, {"message": "no"}, "the kubeconfig's user may not read /api/v1/nodes (403)"),
        (500, {"message": "etcdserver: no leader"}, "/api/v1/nodes answered 500: etcdserver: no leader"),
        (503, "apiserver is shutting down", "/api/v1/nodes answered 503: apiserver is shutting down"),
        (502, "", "/api/v1/nodes answered 502"),
        (500, "{", "/api/v1/nodes answered something that is no JSON"),
        (200, "<html>", "/api/v1/nodes answered something that is no JSON"),
        (200, [], "/api/v1/nodes answered something that is no object"),
    ],
)
def test_answers_that_are_none(api: ApiServer, status: int, body: object, message: str) -> None:
    api.put(PATH, body, status)
    with pytest.raises(Unanswered) as caught:
        client(api).get(PATH)
    assert str(caught.value).startswith(message)


def test_a_server_of_another_ca(api: ApiServer) -> None:
    with pytest.raises(Unanswered) as caught:
        open_kube(kubeconfig(api.port, ca=OTHER)).get(PATH)
    assert str(caught.value).startswith(
        f"127.0.0.1:{api.port} shows a certificate that the kubeconfig does not trust: "
    )


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unanswered, match=f"^127.0.0.1:{port} does not answer: connection refused$"):
        open_kube(kubeconfig(port)).get(PATH)


def test_a_server_that_never_says_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.kubernetes.api.PATIENCE", 0.2)

    def serve(connection: socket.socket) -> None:
        connection.recv(100_000)
        connection.recv(100_000)

    with listening(serve) as port, pytest.raises(Unanswered, match="does not answer: timed out"):
        open_kube(kubeconfig(port)).get(PATH)


def test_a_server_that_is_not_https() -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with (
        listening(serve) as port,
        pytest.raises(Unanswered, match=f"127.0.0.1:{port} does not answer: .*ssl"),
    ):
        open_kube(kubeconfig(port)).get(PATH)


def test_a_protocol_error_is_named(monkeypatch: pytest.MonkeyPatch, api: ApiServer) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise http.client.BadStatusLine("nonsense")

    monkeypatch.setattr(http.client.HTTPSConnection, "request", refuse)
    with pytest.raises(Unanswered, match="does not answer: nonsense"):
        client(api).get(PATH)


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("https://10.0.50.10:6443", ("10.0.50.10", 6443)),
        ("https://10.0.50.10:6443/", ("10.0.50.10", 6443)),
        ("https://k8s.example.org", ("k8s.example.org", 443)),
        ("https://[fd00::1]:6443", ("fd00::1", 6443)),
    ],
)
def test_addresses(server: str, address: tuple[str, int]) -> None:
    assert server_address(server) == address


@pytest.mark.parametrize("server", ["http://h:1", "https://", "https://h:port", "https://h:1/path", "h:6443"])
def test_bad_addresses(server: str) -> None:
    with pytest.raises(
        OperationError, match=r"an API server's URL must be like https://10.0.50.10:6443, not"
    ):
        server_address(server)


def test_certificates_that_are_none() -> None:
    text = kubeconfig(1, user={"client-certificate-data": encoded("x"), "client-key-data": encoded("y")})
    with pytest.raises(OperationError, match="the kubeconfig's certificates cannot be used: "):
        open_kube(text)


def test_conditions() -> None:
    item = {
        "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Ill", "status": "False"}]}
    }
    assert condition(item, "Ill") == {"type": "Ill", "status": "False"}
    assert condition({}, "Ready") is None
    assert (is_true(item, "Ready"), is_true(item, "Ill"), is_true({}, "Ready")) == (True, False, False)


@pytest.mark.parametrize(
    ("method", "kind"), [("PATCH", "application/merge-patch+json"), ("POST", "application/json")]
)
def test_data_is_sent_as_what_it_is(
    method: str, kind: str, monkeypatch: pytest.MonkeyPatch, api: ApiServer
) -> None:
    sent: list[object] = []

    def keep(_self: object, *words: object) -> None:
        sent.extend(words)
        raise http.client.BadStatusLine("enough")

    monkeypatch.setattr(http.client.HTTPSConnection, "request", keep)
    with pytest.raises(Unanswered, match="enough"):
        client(api).ask(PATH, method, {"spec": {}})
    assert sent == [method, PATH, '{"spec": {}}', {"Accept": "application/json", "Content-Type": kind}]


def test_nothing_of_the_access_shows(api: ApiServer) -> None:
    assert "t0ken" not in repr(open_kube(kubeconfig(api.port, user={"token": "t0ken"})))
