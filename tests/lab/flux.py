"""The real kustomize-controller against a lab's cluster, with a source on a loopback port.

The source is an ExternalArtifact, Flux's interface for sources that its own source-controller does not serve.
The test plays that third party: it publishes an archive and says so in the object's status.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from lab.tools import ensure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lab.report import Client

NAMESPACE, NAME = "flux-system", "pools"
KINDS = ("flux-kinds", "flux-source-kinds")
PATIENCE = 90.0

OBJECTS = f"""
apiVersion: source.toolkit.fluxcd.io/v1
kind: ExternalArtifact
metadata: {{name: {NAME}, namespace: {NAMESPACE}}}
spec:
  sourceRef: {{apiVersion: v1, kind: Namespace, name: {NAMESPACE}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {NAME}, namespace: {NAMESPACE}}}
spec:
  interval: 10m
  retryInterval: 2s
  path: ./
  prune: true
  sourceRef: {{kind: ExternalArtifact, name: {NAME}}}
"""


class _Files(BaseHTTPRequestHandler):
    """Serves the archives of its server."""

    server: _Server

    def do_GET(self) -> None:
        """Answer with the archive of that path."""
        body = self.server.files.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Files)
        self.files: dict[str, bytes] = {}


@dataclass
class Flux:
    """Publishes what Git would hold, and tells what the controller made of it."""

    client: Client
    server: _Server
    log: Path
    revisions: list[str] = field(default_factory=list)

    def publish(self, files: Mapping[str, str]) -> None:
        """Make these files the new revision and wait until the controller has applied it."""
        archive = _archive(files)
        digest = hashlib.sha256(archive).hexdigest()
        self.server.files[f"/{digest}.tar.gz"] = archive
        revision = f"{len(self.revisions)}@sha256:{digest}"
        self.revisions.append(revision)
        artifact = {
            "path": f"{digest}.tar.gz",
            "url": f"http://127.0.0.1:{self.server.server_address[1]}/{digest}.tar.gz",
            "revision": revision,
            "digest": f"sha256:{digest}",
            "lastUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "size": len(archive),
        }
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Published",
            "message": "",
            "lastTransitionTime": artifact["lastUpdateTime"],
        }
        self._patch_status({"artifact": artifact, "conditions": [ready]})
        self._await(revision)

    def _patch_status(self, status: dict[str, Any]) -> None:
        patch = json.dumps({"status": status})
        arguments = ("patch", "externalartifact", NAME, f"--namespace={NAMESPACE}", "--subresource=status")
        self.client.run("kubectl", *arguments, "--type=merge", f"--patch={patch}")

    def status(self) -> dict[str, Any]:
        """Return the status of the Kustomization."""
        found: dict[str, Any] = self.client.get("kustomization", NAME, f"--namespace={NAMESPACE}").get(
            "status", {}
        )
        return found

    def inventory(self) -> set[str]:
        """Return the ids of the objects that the controller counts as its own."""
        return {entry["id"] for entry in (self.status().get("inventory") or {}).get("entries", [])}

    def _await(self, revision: str) -> None:
        limit = time.monotonic() + PATIENCE
        while self.status().get("lastAppliedRevision") != revision:
            words = [condition.get("message") for condition in self.status().get("conditions", [])]
            assert time.monotonic() < limit, f"{words}\n{self.log.read_text()[-2000:]}"
            time.sleep(0.5)


def _archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


@contextmanager
def running(client: Client, kubeconfig: Path, scratch: Path) -> Iterator[Flux]:
    """Run the controller until the end of the block."""
    tools = ensure(["kustomize-controller", *KINDS])
    for kind in KINDS:
        client.run("kubectl", "apply", "--server-side", f"--filename={tools[kind]}")
    names = ("kustomizations.kustomize.toolkit.fluxcd.io", "externalartifacts.source.toolkit.fluxcd.io")
    client.run("kubectl", "wait", "--for=condition=Established", *(f"crd/{name}" for name in names))
    client.run("kubectl", "create", "namespace", NAMESPACE)
    client.run("kubectl", "apply", "--filename=-", stdin=OBJECTS)
    log = scratch / "kustomize-controller.log"
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with log.open("wb") as output:
        controller = subprocess.Popen(
            [
                tools["kustomize-controller"],
                "--feature-gates=ExternalArtifact=true",
                "--metrics-addr=0",
                "--health-addr=127.0.0.1:0",
            ],
            env={
                **os.environ,
                "KUBECONFIG": str(kubeconfig),
                "RUNTIME_NAMESPACE": NAMESPACE,
                "TMPDIR": str(scratch),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Flux(client, server, log)
    finally:
        controller.terminate()
        controller.wait(30)
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Watch:
    """Every event of some objects, from the first `kubectl get --watch` on."""

    process: subprocess.Popen[str]
    thread: threading.Thread
    events: list[tuple[str, dict[str, Any]]]

    def objects(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the events of one kind."""
        return [(event, item) for event, item in self.events if item["kind"] == kind]

    def wait_for(self, seen: Callable[[], bool]) -> None:
        """Wait until the events hold something."""
        limit = time.monotonic() + PATIENCE
        while not seen():
            assert self.process.poll() is None, "the watch has ended"
            assert time.monotonic() < limit, f"not seen in {len(self.events)} events"
            time.sleep(0.1)

    def wait_for_mark(self, mark: str) -> None:
        """Wait until an object with this mark was seen; everything before it was seen too."""
        self.wait_for(lambda: any(_mark(item) == mark for _, item in self.events))


def _mark(item: dict[str, Any]) -> str | None:
    found: str | None = (item["metadata"].get("annotations") or {}).get("test/mark")
    return found


@contextmanager
def watching(kubectl: Path, kubeconfig: Path, *arguments: str) -> Iterator[Watch]:
    """Watch objects until the end of the block."""
    process = subprocess.Popen(
        [
            kubectl,
            f"--kubeconfig={kubeconfig}",
            "get",
            *arguments,
            "--watch",
            "--output-watch-events",
            "--output=json",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    events: list[tuple[str, dict[str, Any]]] = []
    thread = threading.Thread(target=_collect, args=(process, events))
    thread.start()
    try:
        yield Watch(process, thread, events)
    finally:
        process.terminate()
        process.wait(30)
        thread.join()


def _collect(process: subprocess.Popen[str], events: list[tuple[str, dict[str, Any]]]) -> None:
    """Keep each event; kubectl prints one on a line."""
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            event = json.loads(line)
            events.append((event["type"], event["object"]))
