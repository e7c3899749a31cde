"""A registry that nodes pull from: the read half of the OCI distribution specification over the image store.

`python -m lab.real.registry STORE ADDRESS PORT` serves until it is ended.
"""

from __future__ import annotations

import re
import shutil
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lab.real.oci import MANIFEST, Store

if TYPE_CHECKING:
    from http.client import HTTPMessage

_PATH = re.compile(r"/v2/(?P<repository>[a-z0-9][a-z0-9._/-]*)/(?P<kind>manifests|blobs)/(?P<name>[\w.:-]+)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def locate(store: Store, path: str) -> tuple[str, str] | None:
    """Return digest and media type of what a request path asks for, None where the store does not have it."""
    if (match := _PATH.fullmatch(path.partition("?")[0])) is None:
        return None
    name = match["name"]
    if match["kind"] == "manifests" and not _DIGEST.fullmatch(name):
        tag = store.tag(match["repository"], name)
        name = tag.read_text() if tag.is_file() else ""
    if not _DIGEST.fullmatch(name) or not store.blob(name).is_file():
        return None
    return name, MANIFEST if match["kind"] == "manifests" else "application/octet-stream"


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    store: ClassVar[Store]
    protocol_version = "HTTP/1.1"
    headers: HTTPMessage

    def do_GET(self) -> None:
        """Answer with the content."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Answer with the headers only."""
        self._answer(with_content=False)

    def _answer(self, *, with_content: bool) -> None:
        # Clients ask this first, to learn whether the registry speaks the protocol at all.
        if self.path in ("/v2", "/v2/"):
            self._send(HTTPStatus.OK, 0)
            return
        found = locate(self.store, self.path)
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, 0)
            return
        digest, kind = found
        blob = self.store.blob(digest)
        self._send(HTTPStatus.OK, blob.stat().st_size, kind, digest)
        if with_content:
            with blob.open("rb") as stream:
                # In pieces: several nodes pull layers of hundreds of megabytes at the same time.
                shutil.copyfileobj(stream, self.wfile, 1 << 20)

    def _send(self, status: HTTPStatus, length: int, kind: str = "", digest: str = "") -> None:
        self.send_response(status)
        # With HTTP/1.1 the connection stays open; without a length the client would wait for more.
        self.send_header("Content-Length", str(length))
        if digest:
            self.send_header("Content-Type", kind)
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()


def serve(store: Store, address: str, port: int) -> None:
    """Serve until the process is ended."""
    Handler.store = store
    ThreadingHTTPServer((address, port), Handler).serve_forever()


if __name__ == "__main__":
    serve(Store(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3]))
