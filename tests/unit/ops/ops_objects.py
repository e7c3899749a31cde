"""Objects of a Kubernetes API for the tests of ops, and an API server that only knows those."""

from __future__ import annotations

import json
import ssl
from typing import Any

from clients.kubernetes.api import Answer, Kube
from model.versions import KUBERNETES, TALOS

Object = dict[str, Any]

RENEWED, SOON_AFTER = "2026-11-23T10:00:00.000000Z", "Mon, 23 Nov 2026 10:00:05 GMT"


def condition(kind: str, status: str, reason: str = "", message: str = "") -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1}


def node(name: str, labels: dict[str, str] | None = None, *, ready: bool = True) -> Object:
    status = "True" if ready else "False"
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "status": {
            "conditions": [condition("Ready", status)],
            "nodeInfo": {"osImage": f"Talos ({TALOS})", "kubeletVersion": KUBERNETES},
        },
    }


def pool(name: str, *blocks: Object, free: str = "7", conflict: str = "", **spec: Any) -> Object:  # noqa: ANN401
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {"blocks": list(blocks), **spec},
        "status": {
            "conditions": [
                condition("cilium.io/PoolConflict", "True" if conflict else "False", message=conflict),
                condition("cilium.io/IPsTotal", "Unknown", message="8"),
                condition("cilium.io/IPsAvailable", "Unknown", message=free),
            ]
        },
    }


def policy(name: str, *conditions: Object, **spec: Any) -> Object:  # noqa: ANN401
    return {"metadata": {"name": name}, "spec": spec, "status": {"conditions": list(conditions)}}


def service(name: str, *addresses: str, annotations: dict[str, str] | None = None, **spec: Any) -> Object:  # noqa: ANN401
    """Return a LoadBalancer Service `namespace/name` that holds these addresses."""
    namespace, _, plain = name.partition("/")
    return {
        "metadata": {"name": plain, "namespace": namespace, "annotations": annotations or {}},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "protocol": "TCP"}], **spec},
        "status": {
            "loadBalancer": {"ingress": [{"ip": address} for address in addresses]},
            "conditions": [condition("cilium.io/IPAMRequestSatisfied", "True", "satisfied")],
        },
    }


def endpoints(name: str, *where: tuple[str, str], ready: bool | None = True) -> Object:
    """Return the EndpointSlice of a Service with (node, address) of each endpoint."""
    namespace, _, plain = name.partition("/")
    conditions = {} if ready is None else {"ready": ready}
    return {
        "metadata": {"namespace": namespace, "labels": {"kubernetes.io/service-name": plain}},
        "endpoints": [
            {"addresses": [address], "conditions": conditions, **({"nodeName": node} if node else {})}
            for node, address in where
        ],
    }


def lease(holder: str) -> Object:
    return {"spec": {"holderIdentity": holder, "renewTime": RENEWED, "leaseDurationSeconds": 15}}


def daemonset(nodes: int, ready: int | None = None) -> Object:
    status = {
        "observedGeneration": 1,
        "desiredNumberScheduled": nodes,
        "updatedNumberScheduled": nodes,
        "numberReady": nodes if ready is None else ready,
    }
    return {"metadata": {"name": "cilium", "generation": 1}, "status": status}


def deployment() -> Object:
    status = {
        "observedGeneration": 1,
        "updatedReplicas": 2,
        "availableReplicas": 2,
        "conditions": [condition("Available", "True")],
    }
    return {
        "metadata": {"name": "cilium-operator", "generation": 1},
        "spec": {"replicas": 2},
        "status": status,
    }


class FakeKube(Kube):
    """Answers from a table of paths; a list becomes the items of a list."""

    def __init__(self, answers: dict[str, object]) -> None:
        super().__init__("127.0.10.10", 6443, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        object.__setattr__(self, "answers", answers)

    answers: dict[str, object]

    def ask(self, path: str, method: str = "GET", body: Object | None = None) -> Answer:
        found = self.answers.get(path)
        if found is None:
            return Answer(404, "", SOON_AFTER)
        shown = {"items": found} if isinstance(found, list) else found
        return Answer(200, json.dumps(shown), SOON_AFTER)


KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
APPS = "/apis/apps/v1/namespaces/kube-system"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
CUSTOM = "/apis/cilium.io"
INGRESS = "ingress-nginx/ingress-nginx-controller"
CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": ""}


def healthy() -> dict[str, object]:
    """Return the answers of the lab's cluster, as if real agents ran there."""
    workers_only = {"matchExpressions": [{"key": next(iter(CONTROL_PLANE)), "operator": "DoesNotExist"}]}
    names = ("cp1", "cp2", "cp3", "w1", "w2")
    only_ingress = {
        "matchLabels": {
            "io.kubernetes.service.namespace": "ingress-nginx",
            "io.kubernetes.service.name": "ingress-nginx-controller",
        }
    }
    return {
        "/api/v1/nodes": [node(name, CONTROL_PLANE if name.startswith("cp") else None) for name in names],
        "/api/v1/services": [
            service(INGRESS, "10.0.50.200", annotations={"lbipam.cilium.io/ips": "10.0.50.200"}),
            {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"type": "ClusterIP"}},
        ],
        "/apis/discovery.k8s.io/v1/endpointslices": [endpoints(INGRESS, ("w1", "10.244.3.7"))],
        f"{APPS}/daemonsets": [daemonset(5)],
        f"{APPS}/daemonsets/cilium": daemonset(5),
        f"{APPS}/deployments/cilium-operator": deployment(),
        f"{KUBE_SYSTEM}/pods": [{"metadata": {"name": "cilium-x"}}],
        f"{KUBE_SYSTEM}/configmaps/cilium-config": {"data": {"kube-proxy-replacement": "true"}},
        f"{CUSTOM}/v2/ciliumnodes": [node(name) for name in names],
        f"{CUSTOM}/v2/ciliumloadbalancerippools": [
            pool("homelab", {"start": "10.0.50.201", "stop": "10.0.50.207"}),
            pool(
                "ingress-nginx-controller.ingress-nginx",
                {"start": "10.0.50.200", "stop": "10.0.50.200"},
                free="0",
                serviceSelector=only_ingress,
            ),
        ],
        f"{CUSTOM}/v2alpha1/ciliuml2announcementpolicies": [
            policy("homelab", loadBalancerIPs=True, interfaces=["^vlan50$"], nodeSelector=workers_only)
        ],
        f"{LEASES}/cilium-l2announce-ingress-nginx-ingress-nginx-controller": lease("w1"),
    }
