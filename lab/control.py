"""The simulator's control socket: what the machines do, and faults to switch on (`lab/sim/README.md`)."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.layout import Layout

LIMIT = 10.0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        # HTTP wants a host name in its header; on a unix socket nobody looks at it.
        super().__init__("simulator", timeout=LIMIT)
        self._path = path

    def connect(self) -> None:
        """Connect to the unix socket instead of a TCP port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self._path)


def call(layout: Layout, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return the simulator's JSON answer.

    Raises:
        RuntimeError: it refuses; the text has its words.
    """
    connection = _Connection(str(layout.socket))
    try:
        connection.request(method, path, body=json.dumps(body) if body is not None else None)
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"simulator: {method} {path}: {text.strip()}")
    return json.loads(text) if text.strip() else None


def status(layout: Layout) -> dict[str, Any]:
    """Return machines and clusters as the simulator sees them."""
    answer: dict[str, Any] = call(layout, "GET", "/status")
    return answer


def fault(layout: Layout, machine: str, name: str, *, on: bool = True, value: str = "") -> None:
    """Switch a fault of a machine (`*`: all) on or off."""
    call(layout, "POST", "/faults", {"machine": machine, "fault": name, "on": on, "value": value})
