"""Asks a cluster for the facts: reads only, in parallel where nodes are asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ops import reading
from ops.facts import Seen
from steps import talosctl
from steps.answers import json_stream, words
from steps.errors import StepError
from steps.rollout import daemonset_lacks, deployment_lacks, pod_troubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from model import Node
    from ops.facts import Lease, Link, Policy, Pool, Service
    from ops.reading import Object
    from steps.kube import Kube
    from steps.run import Runner

NAMESPACE = "kube-system"
POOL_VERSIONS = ("v2", "v2alpha1")
_APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
_CORE = f"/api/v1/namespaces/{NAMESPACE}"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_PATIENCE = 30.0  # seconds for one question to one node
_PARALLEL = 16


def gather(kube: Kube) -> Seen:
    """Return what the Kubernetes API tells.

    Raises:
        Unanswered: the API server does not answer, or refuses.
    """
    nodes = tuple(reading.node(item) for item in kube.items("/api/v1/nodes"))
    services = load_balancer_services(kube)
    return Seen(
        nodes=nodes,
        kube_proxy=tuple(kube_proxies(kube)),
        agent_lacks=agent_lacks(kube, len(nodes)),
        operator_lacks=deployment_lacks(kube.find(f"{_APPS}/deployments/cilium-operator")),
        agents=frozenset(item["metadata"]["name"] for item in _custom(kube, "ciliumnodes", ("v2",))),
        settings=(kube.find(f"{_CORE}/configmaps/cilium-config") or {}).get("data") or {},
        pools=pools(kube),
        policies=policies(kube),
        services=services,
        leases=leases(kube, services),
    )


def load_balancer_services(kube: Kube) -> tuple[Service, ...]:
    """Return every Service of type LoadBalancer."""
    slices = kube.items("/apis/discovery.k8s.io/v1/endpointslices")
    items = (item for item in kube.items("/api/v1/services") if item["spec"].get("type") == "LoadBalancer")
    return tuple(reading.service(item, slices) for item in items)


def kube_proxies(kube: Kube) -> list[str]:
    """Return kind and name of everything of kube-proxy."""
    sets, pods = kube.items(f"{_APPS}/daemonsets"), kube.items(f"{_CORE}/pods")
    kinds = [("DaemonSet", item) for item in sets] + [("Pod", item) for item in pods]
    return [
        f"{kind} {item['metadata']['name']}"
        for kind, item in kinds
        if item["metadata"]["name"].startswith("kube-proxy")
    ]


def agent_lacks(kube: Kube, nodes: int) -> str:
    """Return what the rollout of the agent lacks, with the words of the pods that are not ready."""
    lacks = daemonset_lacks(kube.find(f"{_APPS}/daemonsets/cilium"), nodes)
    if not lacks:
        return ""
    return "; ".join([lacks, *pod_troubles(kube.items(f"{_CORE}/pods?labelSelector=k8s-app%3Dcilium"))])


def pools(kube: Kube) -> tuple[Pool, ...]:
    """Return every address pool, in the newest version that the cluster serves."""
    return tuple(reading.pool(item) for item in _custom(kube, "ciliumloadbalancerippools", POOL_VERSIONS))


def policies(kube: Kube) -> tuple[Policy, ...]:
    """Return every L2 announcement policy."""
    return tuple(
        reading.policy(item) for item in _custom(kube, "ciliuml2announcementpolicies", ("v2alpha1",))
    )


def _custom(kube: Kube, plural: str, versions: Iterable[str]) -> list[Object]:
    """Return the objects of a kind of Cilium; none where the cluster does not know it."""
    for version in versions:
        found = kube.find(f"/apis/cilium.io/{version}/{plural}")
        if found is not None:
            items: list[Object] = found.get("items") or []
            return items
    return []


def leases(kube: Kube, services: Iterable[Service]) -> dict[str, Lease]:
    """Return the announcement lease of each Service that holds an address."""
    found = {}
    for service in services:
        if service.addresses:
            name = f"cilium-l2announce-{service.namespace}-{service.name}"
            answer = kube.ask(f"{_LEASES}/{name}")
            item = kube.decode(answer, f"{_LEASES}/{name}")
            found[service.key] = reading.lease(name, item, answer.date)
    return found


def links(
    nodes: Iterable[Node], talosconfig: str, runner: Runner
) -> tuple[Mapping[str, tuple[Link, ...]], str]:
    """Return the links of each node that answers, and why others did not (empty if all did)."""

    def ask(node: Node) -> tuple[Link, ...]:
        access = talosctl.Access(node.name, str(node.address), talosconfig)
        return reading.links(*(_resources(access, kind, runner) for kind in ("links", "addresses")))

    chosen = list(nodes)
    found: dict[str, tuple[Link, ...]] = {}
    silent = []
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for node, future in [(node, pool.submit(ask, node)) for node in chosen]:
            try:
                found[node.name] = future.result()
            except StepError as error:
                silent.append(str(error.args[0]))
    return found, "; ".join(dict.fromkeys(silent))


def _resources(access: talosctl.Access, kind: str, runner: Runner) -> list[Object]:
    result = runner(talosctl.get(access, kind), _PATIENCE)
    if not result.ok:
        raise StepError(f"{access.name}: {words(result)}")
    try:
        return json_stream(result.stdout)
    except ValueError:
        raise StepError(f"{access.name}: {kind} answered something that is no JSON") from None
