"""Claims about the cluster beside `ops verify`: processes, the release, pods that reach each other."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

from lab.real import workload
from lab.real.admin import ClusterError, wait_for
from lab.real.record import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.real.proof.subject import Subject


def checks(subject: Subject) -> Iterator[Check]:
    """Yield every claim about the cluster."""
    yield talos_health(subject)
    yield no_kube_proxy_process(subject)
    yield release(subject)
    yield dns(subject)
    yield from agents(subject)
    yield from pod_network(subject)


def talos_health(subject: Subject) -> Check:
    """`talosctl health` passes."""
    lists = [
        f"--{role}-nodes={','.join(str(node.address) for node in nodes)}"
        for role, nodes in (
            ("control-plane", subject.config.control_planes),
            ("worker", subject.config.workers),
        )
        if nodes
    ]
    first = str(subject.config.control_planes[0].address)
    # The nodes are named: without discovery Talos cannot find out which ones there should be.
    answer = subject.cluster.talosctl("health", f"--nodes={first}", "--wait-timeout=60s", *lists)
    last = "\n".join((answer.stderr.strip().splitlines() or ["(nothing)"])[-4:])
    return Check("`talosctl health` passes", answer.code == 0, last)


def no_kube_proxy_process(subject: Subject) -> Check:
    """No process of that name on any node; `ops verify` looks for the objects."""
    found = []
    for machine in subject.machines:
        answer = subject.cluster.talosctl("processes", f"--nodes={machine.address}")
        # A node that cannot be asked has not shown that it runs none.
        if answer.code != 0 or "kube-proxy" in answer.stdout:
            found.append(f"{machine.name}: {answer.stdout or answer.stderr}")
    return Check("no kube-proxy process on any node", not found, "; ".join(found) or "none")


def release(subject: Subject) -> Check:
    """Cilium is the chart of the pinned version, as Helm tells."""
    releases = json.loads(subject.cluster.helm("list", "--namespace=kube-system", "--output=json"))
    charts = [(found["name"], found["chart"], found["status"]) for found in releases]
    version = subject.config.versions.cilium
    return Check(
        f"Cilium is the chart's release {version}",
        # The whole list, so that a second release in the namespace is seen too.
        charts == [("cilium", f"cilium-{version}", "deployed")],
        subject.cluster.helm("list", "--namespace=kube-system"),
    )


def dns(subject: Subject) -> Check:
    """Talos's CoreDNS runs: it could not before there was a network for pods."""

    def available() -> bool:
        status = subject.cluster.get("deployment", "coredns", "--namespace=kube-system")["status"]
        return int(status.get("availableReplicas", 0)) == int(status["replicas"])

    wait_for("CoreDNS is available", available)
    shown = subject.cluster.kubectl(
        "get", "pods", "--namespace=kube-system", "--selector=k8s-app=kube-dns", "--output=wide"
    )
    return Check("CoreDNS is available", passed=True, evidence=shown)


def agents(subject: Subject) -> Iterator[Check]:
    """Each agent says that it replaces kube-proxy."""
    lines = []
    for machine in subject.machines:
        text = subject.cluster.agent(machine.name, "cilium-dbg", "status")
        found = next(
            (line for line in text.splitlines() if line.startswith("KubeProxyReplacement:")), "(none)"
        )
        lines.append(f"{machine.name}: {' '.join(found.split())}")
    passed = all("KubeProxyReplacement: True" in line for line in lines)
    yield Check("`cilium-dbg status` on every node: KubeProxyReplacement True", passed, "\n".join(lines))


def pod_network(subject: Subject) -> Iterator[Check]:
    """Pods have addresses of the pod range and reach each other, directly and by a ClusterIP."""
    addresses = workload.addresses(subject.cluster)
    pods = subject.config.network.pod_cidr
    within = all(ipaddress.ip_address(address) in pods for address in addresses.values())
    yield Check(f"pods have addresses of {pods}", within and bool(addresses), json.dumps(addresses))
    service = subject.cluster.get("service", workload.SERVICE, f"--namespace={workload.NAMESPACE}")
    targets = {"ClusterIP": f"http://{service['spec']['clusterIP']}/"}
    nodes = sorted(addresses)
    if len(nodes) > 1:
        targets["a pod on another node"] = f"http://{addresses[nodes[1]]}:{workload.PORT}/"
    name = f"{workload.SERVICE}.{workload.NAMESPACE}.svc.{subject.config.network.domain}"
    targets["a Service by its DNS name"] = f"http://{name}/"
    for what, url in targets.items():
        answer = from_pod(subject, nodes[0], url)
        yield Check(f"a pod on {nodes[0]} reaches {what}", answer.startswith("{"), f"{url} {answer}")


def from_pod(subject: Subject, node: str, url: str) -> str:
    """Ask a URL from the ingress pod on a node; return its answer or why there is none."""
    pod = next(name for name, where in workload.endpoints(subject.cluster).items() if where == node)
    command = ("exec", f"--namespace={workload.NAMESPACE}", pod, "--", "/usr/bin/lab-http", "get", url)
    try:
        return subject.cluster.kubectl(*command).strip()
    except ClusterError as error:
        return f"failed: {error}"
