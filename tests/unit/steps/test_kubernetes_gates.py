"""Gates of the Kubernetes API, Cilium and the Nodes, against a server with fixed answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients.cilium.rollout import daemonset_lacks, deployment_lacks, pod_troubles
from clients.errors import OperationError
from steps.cilium_ready import cilium_ready
from steps.kubernetes_gates import api_ready, crds_established, nodes_ready
from tests.unit.clients.kubernetes.test_api import api, kubeconfig
from tests.unit.steps.steps_job import Bench

if TYPE_CHECKING:
    from tests.unit.steps.steps_servers import ApiServer

__all__ = ["api"]  # a fixture

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POOLS, POLICIES = "ciliumloadbalancerippools.cilium.io", "ciliuml2announcementpolicies.cilium.io"
KUBE_PROXY = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
DAEMONSET = "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium"
OPERATOR = "/apis/apps/v1/namespaces/kube-system/deployments/cilium-operator"
PODS = "/api/v1/namespaces/kube-system/pods?labelSelector="


def bench(api: ApiServer, **environment: str) -> Bench:
    return Bench(environment, {"kubeconfig": kubeconfig(api.port)}, limit=5)


def conditions(**kinds: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": value} for kind, value in kinds.items()]}}


def crd(name: str, established: str = "True") -> dict[str, Any]:
    plural, _, group = name.partition(".")
    versions = [{"name": "v2", "served": True}, {"name": "v2alpha1", "served": False}]
    spec = {"group": group, "names": {"plural": plural}, "versions": versions}
    return {"spec": spec, **conditions(Established=established)}


def offered(*names: str) -> dict[str, Any]:
    """Return what `/apis/cilium.io/v2` answers."""
    return {"resources": [{"name": name.partition(".")[0]} for name in names]}


def node(name: str, ready: str = "True", **more: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "status": {"conditions": [{"type": "Ready", "status": ready, **more}]},
    }


def daemonset(**status: int) -> dict[str, Any]:
    full = {
        "observedGeneration": 2,
        "desiredNumberScheduled": 3,
        "updatedNumberScheduled": 3,
        "numberReady": 3,
    }
    return {"metadata": {"generation": 2}, "status": {**full, **status}}


def deployment(available: str = "True", **status: int) -> dict[str, Any]:
    full = {"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 1, **status}
    return {
        "metadata": {"generation": 1},
        "spec": {"replicas": 2},
        "status": {**full, **conditions(Available=available)["status"]},
    }


def test_api_ready(api: ApiServer) -> None:
    endpoint = f"https://127.0.0.1:{api.port}"
    api.put("/readyz", "ok")
    assert api_ready(bench(api, ENDPOINT=endpoint).job) == f"Kubernetes API ready at {endpoint}"


def test_api_not_ready(api: ApiServer) -> None:
    endpoint = f"https://127.0.0.1:{api.port}"
    api.put("/readyz", "[-]etcd failed: reason withheld", 500)
    made = bench(api, ENDPOINT=endpoint)
    with pytest.raises(OperationError) as caught:
        api_ready(made.job)
    assert str(caught.value).startswith(
        f"gave up waiting for the Kubernetes API at {endpoint} after 5 s; "
        "last answer: /readyz answered 500: [-]etcd failed: reason withheld\ncheck: `talosctl service etcd`"
    )


def test_a_kubeconfig_of_another_endpoint(api: ApiServer) -> None:
    with pytest.raises(
        OperationError, match=r"the kubeconfig is for https://127.0.0.1:\d+, not for https://h:1"
    ):
        api_ready(bench(api, ENDPOINT="https://h:1").job)


def test_no_answer_is_waited_for(api: ApiServer) -> None:
    made = bench(api, CRDS=POOLS)
    api.put(f"{CRD}/{POOLS}", {"message": "starting"}, 503)
    with pytest.raises(OperationError, match=r"last answer: .* answered 503: starting"):
        crds_established(made.job)


def test_crds(api: ApiServer) -> None:
    made = bench(api, CRDS=f"{POOLS} {POLICIES}")
    api.put(f"{CRD}/{POOLS}", crd(POOLS))
    api.put(f"{CRD}/{POLICIES}", crd(POLICIES))
    api.put("/apis/cilium.io/v2", offered(POLICIES, POOLS))
    assert crds_established(made.job) == f"established: {POOLS} {POLICIES}"


def test_crds_that_are_missing(api: ApiServer) -> None:
    made = bench(api, CRDS=f"{POOLS} {POLICIES}")
    api.put(f"{CRD}/{POOLS}", crd(POOLS, "False"))
    with pytest.raises(OperationError) as caught:
        crds_established(made.job)
    assert f"last answer: {POOLS} is not established; {POLICIES} does not exist" in str(caught.value)
    assert "check: `kubectl -n kube-system logs deployment/cilium-operator`" in str(caught.value)


def test_crds_that_are_not_offered_yet(api: ApiServer) -> None:
    """An object of such a kind would be refused: the API server does not know it at its own address."""
    made = bench(api, CRDS=f"{POOLS} {POLICIES}")
    api.put(f"{CRD}/{POOLS}", crd(POOLS))
    api.put(f"{CRD}/{POLICIES}", crd(POLICIES))
    api.put("/apis/cilium.io/v2", offered(POOLS))
    with pytest.raises(OperationError, match=f"last answer: {POLICIES} is established, but not served yet"):
        crds_established(made.job)


def test_crds_of_a_group_that_is_not_offered_yet(api: ApiServer) -> None:
    made = bench(api, CRDS=POOLS)
    api.put(f"{CRD}/{POOLS}", crd(POOLS))
    with pytest.raises(OperationError, match=f"last answer: {POOLS} is established, but not served yet"):
        crds_established(made.job)


def test_crds_that_somebody_else_installs(api: ApiServer) -> None:
    with pytest.raises(OperationError, match="check: install them first"):
        crds_established(bench(api, CRDS=POOLS, CHECK="install them first").job)


def test_nodes(api: ApiServer) -> None:
    made = bench(api, NODES="cp1 w1")
    api.put("/api/v1/nodes", {"items": [node("cp1"), node("w1"), node("stranger", "False")]})
    assert nodes_ready(made.job) == "ready: cp1 w1"


def test_nodes_that_are_not_ready(api: ApiServer) -> None:
    made = bench(api, NODES="cp1 cp2 cp3 w1")
    missing = [
        node("cp1", "False", message="cni plugin not initialized"),
        node("cp2", "Unknown", reason="Lost"),
    ]
    api.put("/api/v1/nodes", {"items": [*missing, {"metadata": {"name": "cp3"}}]})
    with pytest.raises(OperationError) as caught:
        nodes_ready(made.job)
    assert (
        "last answer: cp1 is not Ready: cni plugin not initialized; cp2 is not Ready: Lost; "
        "cp3 is not Ready: its kubelet has not reported; w1 has not registered"
    ) in str(caught.value)


def test_many_nodes_are_counted(api: ApiServer) -> None:
    api.put("/api/v1/nodes", {"items": []})
    with pytest.raises(OperationError) as caught:
        nodes_ready(bench(api, NODES="a b c d e f").job)
    assert "c has not registered; d has not registered; and 2 more\ncheck:" in str(caught.value)


def test_kube_proxy_is_refused_at_once(api: ApiServer) -> None:
    made = bench(api, NODES="cp1")
    api.put(KUBE_PROXY, daemonset())
    with pytest.raises(OperationError) as caught:
        nodes_ready(made.job)
    assert str(caught.value) == (
        "the cluster runs kube-proxy, but Cilium replaces it: both would route Services\n"
        "check: cluster.proxy.disabled in the machine configs, then "
        "`kubectl -n kube-system delete daemonset kube-proxy`"
    )


def test_cilium_rolled_out(api: ApiServer) -> None:
    made = bench(api, NAMESPACE="kube-system", REVISION="1")
    api.put("/api/v1/nodes", {"items": [node("cp1"), node("cp2"), node("w1")]})
    api.put(DAEMONSET, daemonset())
    api.put(OPERATOR, deployment())
    assert cilium_ready(made.job) == "Cilium rolled out in kube-system"


def test_cilium_names_the_pods_in_trouble(api: ApiServer) -> None:
    made = bench(api, NAMESPACE="kube-system")
    api.put("/api/v1/nodes", {"items": [node("cp1"), node("cp2"), node("w1")]})
    api.put(DAEMONSET, daemonset(numberReady=2))
    api.put(OPERATOR, deployment())
    waiting = {
        "name": "cilium-agent",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such"}},
    }
    pod = {
        "metadata": {"name": "cilium-x"},
        "spec": {"nodeName": "w1"},
        "status": {"containerStatuses": [waiting]},
    }
    api.put(f"{PODS}k8s-app%3Dcilium", {"items": [pod]})
    with pytest.raises(OperationError) as caught:
        cilium_ready(made.job)
    assert (
        "last answer: DaemonSet cilium is ready on 2 of 3 nodes; "
        "cilium-x on w1: cilium-agent ImagePullBackOff no such"
    ) in str(caught.value)


def test_cilium_s_operator_in_trouble(api: ApiServer) -> None:
    made = bench(api, NAMESPACE="kube-system")
    api.put("/api/v1/nodes", {"items": [node("cp1"), node("cp2"), node("w1")]})
    api.put(DAEMONSET, daemonset())
    api.put(OPERATOR, deployment("False"))
    pending = {
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]
    }
    api.put(f"{PODS}io.cilium%2Fapp%3Doperator", {"items": [{"metadata": {"name": "op"}, "status": pending}]})
    with pytest.raises(OperationError) as caught:
        cilium_ready(made.job)
    assert (
        "last answer: Deployment cilium-operator has 1 of 2 replicas available; op: 0/3 nodes are available"
    ) in str(caught.value)


@pytest.mark.parametrize(
    ("item", "nodes", "lack"),
    [
        (daemonset(), 3, ""),
        (None, 3, "DaemonSet cilium does not exist"),
        (daemonset(observedGeneration=1), 3, "has a change that its controller has not seen yet"),
        (daemonset(), 5, "is wanted on 3 of 5 nodes"),
        (daemonset(desiredNumberScheduled=0), 0, "is wanted on 0 of 0 nodes"),
        (daemonset(updatedNumberScheduled=1), 3, "is updated on 1 of 3 nodes"),
        (daemonset(numberReady=0), 3, "is ready on 0 of 3 nodes"),
        ({"metadata": {"generation": 1}}, 3, "has a change that its controller has not seen yet"),
    ],
)
def test_daemonset(item: dict[str, Any] | None, nodes: int, lack: str) -> None:
    found = daemonset_lacks(item, nodes)
    assert found == lack if not lack else lack in found


@pytest.mark.parametrize(
    ("item", "lack"),
    [
        (deployment(), ""),
        (None, "Deployment cilium-operator does not exist"),
        (deployment(observedGeneration=0), "has a change that its controller has not seen yet"),
        (deployment(updatedReplicas=1), "has 1 of 2 updated replicas"),
        (deployment("False", availableReplicas=0), "has 0 of 2 replicas available"),
    ],
)
def test_deployment(item: dict[str, Any] | None, lack: str) -> None:
    found = deployment_lacks(item)
    assert found == lack if not lack else lack in found


def pod(name: str, **status: object) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def test_pod_troubles() -> None:
    creating = {"name": "agent", "state": {"waiting": {"reason": "ContainerCreating"}}}
    crashed = {"name": "mount", "state": {"terminated": {"reason": "Error", "exitCode": 1}}}
    done = {"name": "config", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}
    ready = {"metadata": {"name": "good"}, **conditions(Ready="True")}
    assert pod_troubles([ready]) == []
    assert pod_troubles([pod("a", initContainerStatuses=[done, crashed])]) == ["a: mount Error"]
    assert pod_troubles([pod("b", containerStatuses=[creating], phase="Pending")]) == ["b: Pending"]
    assert pod_troubles([pod("c")]) == ["c: no status yet"]
    assert len(pod_troubles([pod(name) for name in "abcde"])) == 3
