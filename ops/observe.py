"""Asks a cluster for the facts: reads only, in parallel where nodes are asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from clients.cilium import kinds
from clients.cilium.rollout import daemonset_lacks, deployment_lacks, pod_troubles
from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import etcd_member_ids, json_stream, words
from ops import parse_objects
from ops.facts import EtcdView, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clients.kubernetes.api import Kube
    from clients.talos.process import TalosctlRunner
    from model import Node
    from ops.facts import Lease, Link, Policy, Pool, Service
    from ops.parse_objects import Object

NAMESPACE = "kube-system"
_APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
_CORE = f"/api/v1/namespaces/{NAMESPACE}"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
_PATIENCE = 30.0  # seconds for one question to one node
# Each question starts a talosctl: more at once would compete for this machine's processors.
_PARALLEL = 16


def gather(kube: Kube) -> Seen:
    """Return what the Kubernetes API tells.

    Raises:
        Unanswered: the API server does not answer, or refuses.
    """
    nodes = tuple(parse_objects.node(item) for item in kube.items("/api/v1/nodes"))
    services = load_balancer_services(kube)
    return Seen(
        nodes=nodes,
        kube_proxy=tuple(kube_proxies(kube)),
        agent_lacks=agent_lacks(kube, len(nodes)),
        operator_lacks=deployment_lacks(kube.find(f"{_APPS}/deployments/cilium-operator")),
        agents=frozenset(
            item["metadata"]["name"] for item in kinds.objects(kube, kinds.AGENTS, kinds.AGENT_VERSIONS)
        ),
        settings=(kube.find(f"{_CORE}/configmaps/cilium-config") or {}).get("data") or {},
        pools=pools(kube),
        policies=policies(kube),
        services=services,
        leases=leases(kube, services),
        server=f"{kube.host}:{kube.port}",
    )


def load_balancer_services(kube: Kube) -> tuple[Service, ...]:
    """Return every Service of type LoadBalancer."""
    # One list for all Services: a request for each would take seconds on a busy API server.
    slices = kube.items("/apis/discovery.k8s.io/v1/endpointslices")
    items = (item for item in kube.items("/api/v1/services") if item["spec"].get("type") == "LoadBalancer")
    return tuple(parse_objects.service(item, slices) for item in items)


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
    return tuple(parse_objects.pool(item) for item in kinds.objects(kube, kinds.POOLS, kinds.POOL_VERSIONS))


def policies(kube: Kube) -> tuple[Policy, ...]:
    """Return every L2 announcement policy."""
    return tuple(
        parse_objects.policy(item) for item in kinds.objects(kube, kinds.POLICIES, kinds.POLICY_VERSIONS)
    )


def leases(kube: Kube, services: Iterable[Service]) -> dict[str, Lease]:
    """Return the announcement lease of each Service that holds an address."""
    found = {}
    for service in services:
        # Cilium creates the Lease only for a Service that holds an address.
        if service.addresses:
            name = kinds.lease_name(service.namespace, service.name)
            answer = kube.ask(f"{_LEASES}/{name}")
            item = kube.decode(answer, f"{_LEASES}/{name}")
            found[service.key] = parse_objects.lease(name, item, answer.date)
    return found


def links(
    nodes: Iterable[Node], talosconfig: str, runner: TalosctlRunner
) -> tuple[Mapping[str, tuple[Link, ...]], str]:
    """Return the links of each node that answers, and why others did not (empty if all did)."""

    def ask(node: Node) -> tuple[Link, ...]:
        access = talosctl.Access(node.name, str(node.address), talosconfig)
        return parse_objects.links(*(_resources(access, kind, runner) for kind in ("links", "addresses")))

    chosen = list(nodes)
    found: dict[str, tuple[Link, ...]] = {}
    silent = []
    # A node that is down takes the whole limit of its question; side by side they cost it once.
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for node, future in [(node, pool.submit(ask, node)) for node in chosen]:
            try:
                found[node.name] = future.result()
            except OperationError as error:
                silent.append(str(error.args[0]))
    return found, "; ".join(dict.fromkeys(silent))


def _resources(access: talosctl.Access, kind: str, runner: TalosctlRunner) -> list[Object]:
    result = runner(talosctl.get(access, kind), _PATIENCE)
    # Links that cannot be read are unknown; an empty list would look like a node without links.
    if not result.ok:
        raise OperationError(f"{access.name}: {words(result)}")
    try:
        return json_stream(result.stdout)
    except ValueError:
        raise OperationError(f"{access.name}: {kind} answered something that is no JSON") from None


def etcd(control_planes: Sequence[Node], talosconfig: str, runner: TalosctlRunner) -> EtcdView:
    """Return the etcd member of each control plane, and the members that the first of them lists."""
    accesses = [talosctl.Access(node.name, str(node.address), talosconfig) for node in control_planes]
    try:
        members = {access.name: _member(access, runner) for access in accesses}
    except OperationError as error:
        return EtcdView(unknown=str(error.args[0]))
    # A member that is not healthy may list the members of yesterday.
    healthy = next((access for access in accesses if members[access.name]), accesses[0])
    table = runner(talosctl.etcd_members(healthy), _PATIENCE)
    listed = etcd_member_ids(table.stdout) if table.ok else None
    if listed is None:
        return EtcdView(unknown=f"{healthy.name}: {words(table)}")
    return EtcdView(members, listed[0], unknown="")


def _member(access: talosctl.Access, runner: TalosctlRunner) -> str:
    items = _resources(access, "etcdmember", runner)
    return str(items[0].get("spec", {}).get("memberID", "")) if items else ""
