"""Servers on the loopback interface: nodes as seen from outside, an API server with fixed answers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = b"\0\0\0\4\0\0\0\0\0"  # the empty SETTINGS frame with which an HTTP/2 server begins


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield the port of a server that calls `serve` for each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopping = threading.Event()

        def accept() -> None:
            while True:
                connection, _ = server.accept()
                with connection:
                    if stopping.is_set():
                        return
                    with suppress(OSError):
                        serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        port: int = server.getsockname()[1]
        try:
            yield port
        finally:
            stopping.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def speaks(context: ssl.SSLContext, first: bytes = SETTINGS) -> Callable[[socket.socket], None]:
    """Return a TLS server that says its first words, once it accepts the client, and hangs up with it."""

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            if first:
                secure.sendall(first)
                secure.recv(1)

    return serve


class ApiServer:
    """Answers GET requests of the Kubernetes API: path to status and body."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.date: str | None = None
        self.requests: list[tuple[str, dict[str, str], bool]] = []
        self.port = 0

    def put(self, path: str, body: Any, status: int = 200) -> None:  # noqa: ANN401 - any JSON
        self.answers[path] = (status, body if isinstance(body, str) else json.dumps(body))

    @contextmanager
    def running(self, context: ssl.SSLContext) -> Iterator[None]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = self.connection
            known = isinstance(connection, ssl.SSLSocket) and bool(connection.getpeercert())
            api.requests.append((self.path, dict(self.headers), known))
            status, body = api.answers.get(self.path, (404, '{"kind": "Status", "message": "not found"}'))
            self.send_response_only(status)
            self.send_header("Date", api.date or self.date_time_string())
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
