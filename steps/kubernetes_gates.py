"""Gates that ask the Kubernetes API: server, Cilium, CRDs, Nodes."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered, condition, explain, is_true, open_kube, server_address
from steps.inputs import ApiReadyInputs, CrdsInputs, NodesReadyInputs
from steps.waiting import PAUSE_BETWEEN_REQUESTS, Done, Pending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clients.kubernetes.api import Kube, Object
    from steps.job import Job

_SHOWN = 4  # Nodes named in a message


def gate(job: Job, what: str, check: str, lacks: Callable[[Kube], str], result: str) -> str:
    """Wait until `lacks`, which may raise `Unanswered`, has nothing to name any more; return the result."""
    kube = open_kube(job.secret("kubeconfig"))

    def probe() -> Done[str] | Pending:
        try:
            missing = lacks(kube)
        # An API server that restarts is waited for like everything else.
        except Unanswered as error:
            missing = str(error)
        return Pending(missing) if missing else Done(result)

    return job.wait(what, check, probe, longest=PAUSE_BETWEEN_REQUESTS)


def api_ready(job: Job) -> str:
    """Wait until the API server says that it is ready, at the endpoint that the kubeconfig names.

    Raises:
        OperationError: the kubeconfig is for another endpoint, or the limit passed.
    """
    endpoint = job.inputs(ApiReadyInputs).endpoint
    kube = open_kube(job.secret("kubeconfig"))
    # Another server could be ready while the one of the config is not.
    if (kube.host, kube.port) != server_address(endpoint):
        raise OperationError(f"the kubeconfig is for https://{kube.host}:{kube.port}, not for {endpoint}")

    def lacks(kube: Kube) -> str:
        answer = kube.ask("/readyz")
        return "" if answer.status == http.client.OK else explain(answer, "/readyz")

    return gate(
        job,
        f"the Kubernetes API at {endpoint}",
        "`talosctl service etcd` and `talosctl logs kubelet` on the control planes; a VIP needs etcd",
        lacks,
        f"Kubernetes API ready at {endpoint}",
    )


def crds_established(job: Job) -> str:
    """Wait until every named CustomResourceDefinition is established and served.

    An API server that has established a kind offers it up to some seconds later; a client that asks in
    between does not know the kind.
    """
    inputs = job.inputs(CrdsInputs)
    names = inputs.crds

    def lacks(kube: Kube) -> str:
        missing = []
        for name in names:
            crd = kube.find(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
            if crd is None:
                missing.append(f"{name} does not exist")
            elif not is_true(crd, "Established"):
                missing.append(f"{name} is not established")
            elif not _is_served(kube, crd):
                missing.append(f"{name} is established, but not served yet")
        return "; ".join(missing)

    check = inputs.check or (
        "`kubectl -n kube-system logs deployment/cilium-operator`: the operator registers them, not the chart"
    )
    return gate(job, "the CRDs", check, lacks, f"established: {' '.join(names)}")


def _is_served(kube: Kube, crd: Object) -> bool:
    """Return whether the API server offers the kind in every version that it should."""
    spec = crd["spec"]
    for version in (item["name"] for item in spec["versions"] if item["served"]):
        offered = kube.find(f"/apis/{spec['group']}/{version}") or {}
        if all(resource["name"] != spec["names"]["plural"] for resource in offered.get("resources") or []):
            return False
    return True


def nodes_ready(job: Job) -> str:
    """Wait until every named Node is Ready; refuse a cluster in which kube-proxy runs beside Cilium.

    Raises:
        OperationError: kube-proxy runs in the cluster, or the limit passed.
    """
    names = job.inputs(NodesReadyInputs).nodes

    def lacks(kube: Kube) -> str:
        if kube.find("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy") is not None:
            raise OperationError(
                "the cluster runs kube-proxy, but Cilium replaces it: both would route Services",
                "cluster.proxy.disabled in the machine configs, then "
                "`kubectl -n kube-system delete daemonset kube-proxy`",
            )
        # One list instead of a request for each: fifty nodes are asked for twice a second.
        nodes = {node["metadata"]["name"]: node for node in kube.items("/api/v1/nodes")}
        return first_few([lack for name in names if (lack := node_lacks(name, nodes.get(name)))])

    check = "`kubectl describe node` of the nodes named and the Cilium pods on them"
    return gate(job, "the Nodes to be Ready", check, lacks, f"ready: {' '.join(names)}")


def first_few(lacks: Sequence[str]) -> str:
    """Return the first of many sentences and how many more there are."""
    more = len(lacks) - _SHOWN
    return "; ".join([*lacks[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def node_lacks(name: str, node: Object | None) -> str:
    """Return why a Node is not Ready, or an empty text."""
    if node is None:
        return f"{name} has not registered"
    if is_true(node, "Ready"):
        return ""
    ready = condition(node, "Ready") or {}
    reason = ready.get("message") or ready.get("reason") or "its kubelet has not reported"
    return f"{name} is not Ready: {reason}"
