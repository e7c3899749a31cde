"""What a finished lab shows: the verdict of `ops verify`, and what only a lab can claim."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.talos import process
from lab.layout import STACK
from ops import sources, verify
from ops.sources import Credentials
from ops.table import Row, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi.automation import OutputMap

    from lab.layout import Layout

INGRESS = ("ingress-nginx", "ingress-nginx-controller")
OTHER = ("lab-demo", "whoami")
CRDS = ("ciliumloadbalancerippools.cilium.io", "ciliuml2announcementpolicies.cilium.io")
CLOSING = """
The lab is up. Use it:
  eval "$(make -s lab-env)"       # KUBECONFIG, TALOSCONFIG, PATH (writes two 0600 files)
  kubectl get pods --all-namespaces
  talosctl --nodes 127.0.10.11 services
  make lab-preview                # a change of the program or of Pulumi.lab.yaml, shown first
  make lab                        # again: nothing changes
  make lab-down                   # ends it and removes its state"""
DEMO = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {OTHER[0]}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {OTHER[1]}, namespace: {OTHER[0]}}}
spec:
  type: LoadBalancer
  selector: {{app: {OTHER[1]}}}
  ports: [{{name: http, port: 80}}]
"""
"""A Service that requests no address: it would take the lowest free address of a plain pool."""


class ClientError(RuntimeError):
    """A command of kubectl or helm failed; the text has the command and its words."""


@dataclass(frozen=True)
class Client:
    """Runs kubectl and helm of the lab with a kubeconfig that never becomes a file."""

    layout: Layout
    kubeconfig: str

    def run(self, tool: str, *arguments: str, stdin: str | None = None) -> str:
        """Return stdout.

        Raises:
            ClientError: the command failed; the text has its stderr.
        """
        with memory_file(self.kubeconfig) as fd:
            done = subprocess.run(
                [self.layout.tools / tool, f"--kubeconfig=/proc/self/fd/{fd}", *arguments],
                input=stdin,
                env=os.environ | self.layout.client_caches(),
                capture_output=True,
                text=True,
                # The file has no name, so the child reaches it only by inheriting the descriptor.
                pass_fds=[fd],
                timeout=120,
                check=False,
            )
        if done.returncode != 0:
            raise ClientError(f"{tool} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> Any:  # noqa: ANN401 - Kubernetes JSON
        """Return the JSON of `kubectl get`."""
        return json.loads(self.run("kubectl", "get", *arguments, "--output=json"))


@contextmanager
def memory_file(text: str) -> Iterator[int]:
    """Yield a descriptor of a file that exists in memory only."""
    fd = os.memfd_create("lab", 0)
    try:
        # Opened by its path in /proc it is read from the start, wherever this descriptor stands.
        os.write(fd, text.encode())
        yield fd
    finally:
        os.close(fd)


def rows(layout: Layout, outputs: OutputMap) -> list[Row]:
    """Return the verdict of `ops verify` on the lab's cluster, and what only a lab can show.

    Raises:
        CannotCheckError: the stack file or the API server cannot be read.
        ClientError: kubectl failed.
    """
    credentials = Credentials(str(outputs["kubeconfig"].value), str(outputs["talosconfig"].value))
    client = Client(layout, credentials.kubeconfig)
    cluster = sources.cluster(sources.Place(project=layout.project, stack=STACK))
    other = other_service(client, [str(reservation.address) for reservation in cluster.requested])
    return [*verify.verify(cluster, credentials, process.talosctl, verify.Scope()), other]


def other_service(client: Client, requested: list[str]) -> Row:
    """Create a Service that requests no address; it gets one that nobody has requested.

    Raises:
        ClientError: kubectl failed.
    """
    client.run("kubectl", "apply", "--filename=-", stdin=DEMO)
    with suppress(ClientError):  # no address in time is a line of the table
        client.run(
            "kubectl",
            "wait",
            f"--namespace={OTHER[0]}",
            "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
            f"service/{OTHER[1]}",
            "--timeout=60s",
        )
    # The wait tells only that there is an address, not which.
    given = address(client, *OTHER)
    lacks = "" if given and given not in requested else f"{'/'.join(OTHER)} got {given or 'no address'}"
    evidence = f"{'/'.join(OTHER)} requests no address and got {given}"
    return judged("requested addresses kept free", lacks, evidence, "a requested address has its own pool")


def condition(item: dict[str, Any], kind: str) -> str | None:
    """Return the status of a condition of a Kubernetes object."""
    found = (c["status"] for c in item.get("status", {}).get("conditions", []) if c["type"] == kind)
    return next(found, None)


def address(client: Client, namespace: str, name: str) -> str | None:
    """Return the LoadBalancer address of a Service."""
    status = client.get("service", name, f"--namespace={namespace}")["status"]
    return next((str(entry["ip"]) for entry in status.get("loadBalancer", {}).get("ingress", [])), None)


def closing(*, passed: bool) -> str:
    """Return what `make lab` says after the table."""
    return CLOSING if passed else "\nThe lab is up, but not every check passed (see fail above)."
