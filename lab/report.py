"""What a finished lab shows: each claim with its evidence, asked of the running cluster."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.layout import Layout

INGRESS = ("ingress-nginx", "ingress-nginx-controller")
OTHER = ("lab-demo", "whoami")
CRDS = ("ciliumloadbalancerippools.cilium.io", "ciliuml2announcementpolicies.cilium.io")
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
"""A Service without a wish: it would take the lowest free address of a plain pool."""


@dataclass(frozen=True)
class Check:
    """One claim and what the cluster said."""

    claim: str
    passed: bool
    evidence: str

    def __str__(self) -> str:
        """One or more lines for a terminal."""
        lines = self.evidence.strip().splitlines() or ["(nothing)"]
        return "\n".join(
            [f"{'ok  ' if self.passed else 'FAIL'} {self.claim}", *(f"       {line}" for line in lines)]
        )


@dataclass(frozen=True)
class Client:
    """Runs kubectl and helm of the lab with a kubeconfig that never becomes a file."""

    layout: Layout
    kubeconfig: str

    def run(self, tool: str, *arguments: str, stdin: str | None = None) -> str:
        """Return stdout; raises RuntimeError with stderr."""
        with memory_file(self.kubeconfig) as fd:
            done = subprocess.run(
                [self.layout.tools / tool, f"--kubeconfig=/proc/self/fd/{fd}", *arguments],
                input=stdin,
                env=os.environ | self.layout.client_caches(),
                capture_output=True,
                text=True,
                pass_fds=[fd],
                timeout=120,
                check=False,
            )
        if done.returncode != 0:
            raise RuntimeError(f"{tool} {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> Any:  # noqa: ANN401 - Kubernetes JSON
        """Return the JSON of `kubectl get`."""
        return json.loads(self.run("kubectl", "get", *arguments, "--output=json"))


@contextmanager
def memory_file(text: str) -> Iterator[int]:
    """Yield a descriptor of a file that exists in memory only."""
    fd = os.memfd_create("lab", 0)
    try:
        os.write(fd, text.encode())
        yield fd
    finally:
        os.close(fd)


def checks(client: Client, nodes: int, requested: str) -> Iterator[Check]:
    """Yield every claim of the lab with its evidence."""
    client.run("kubectl", "apply", "--filename=-", stdin=DEMO)
    client.run(
        "kubectl",
        "wait",
        f"--namespace={OTHER[0]}",
        "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
        f"service/{OTHER[1]}",
        "--timeout=60s",
    )
    yield _nodes(client, nodes)
    yield _no_kube_proxy(client)
    yield _release(client)
    yield _crds(client)
    yield _pools(client)
    yield _services(client, requested)


def _nodes(client: Client, expected: int) -> Check:
    ready = [node for node in client.get("nodes")["items"] if condition(node, "Ready") == "True"]
    shown = client.run("kubectl", "get", "nodes", "--output=wide")
    return Check(f"{len(ready)} of {expected} nodes are Ready", len(ready) == expected, shown)


def _no_kube_proxy(client: Client) -> Check:
    names = [
        item["metadata"]["name"] for item in client.get("daemonsets,pods", "--namespace=kube-system")["items"]
    ]
    proxies = [name for name in names if "kube-proxy" in name]
    shown = client.run("kubectl", "get", "daemonsets", "--namespace=kube-system")
    return Check("no kube-proxy anywhere", not proxies and "cilium" in names, shown)


def _release(client: Client) -> Check:
    releases = json.loads(client.run("helm", "list", "--namespace=kube-system", "--output=json"))
    deployed = [r["name"] for r in releases if r["status"] == "deployed"]
    return Check(
        "Cilium is a real Helm release",
        deployed == ["cilium"],
        client.run("helm", "list", "--namespace=kube-system"),
    )


def _crds(client: Client) -> Check:
    found = client.get("customresourcedefinitions", *CRDS)["items"]
    established = [crd["metadata"]["name"] for crd in found if condition(crd, "Established") == "True"]
    shown = client.run("kubectl", "get", "customresourcedefinitions", *CRDS)
    return Check("both CRDs are established", sorted(established) == sorted(CRDS), shown)


def _pools(client: Client) -> Check:
    pools = client.get(CRDS[0])["items"]
    sound = [pool for pool in pools if condition(pool, "cilium.io/PoolConflict") == "False"]
    shown = client.run("kubectl", "get", f"{CRDS[0]},{CRDS[1]}")
    return Check("the pools have no conflict", len(sound) == len(pools) > 0, shown)


def _services(client: Client, requested: str) -> Check:
    ingress, other = (address(client, *service) for service in (INGRESS, OTHER))
    shown = client.run("kubectl", "get", "services", "--all-namespaces")
    claim = f"{'/'.join(INGRESS)} holds {ingress}, {'/'.join(OTHER)} got {other}"
    return Check(claim, ingress == requested and other not in (None, requested), shown)


def condition(item: dict[str, Any], kind: str) -> str | None:
    """Return the status of a condition of a Kubernetes object."""
    found = (c["status"] for c in item.get("status", {}).get("conditions", []) if c["type"] == kind)
    return next(found, None)


def address(client: Client, namespace: str, name: str) -> str | None:
    """Return the LoadBalancer address of a Service."""
    status = client.get("service", name, f"--namespace={namespace}")["status"]
    return next((str(entry["ip"]) for entry in status.get("loadBalancer", {}).get("ingress", [])), None)


def show(client: Client, nodes: int, requested: str, say: Callable[[str], None] = print) -> bool:
    """Print every check; return whether all of them passed."""
    results = []
    for check in checks(client, nodes, requested):
        say(str(check))
        results.append(check.passed)
    return all(results)
