"""The pods behind the ingress Service: a real HTTP server where the controller's image is not available."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clients.cilium import kinds
from lab.real.admin import wait_for
from lab.real.images import HTTP
from lab.report import INGRESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.real.admin import Admin

NAMESPACE, SERVICE = INGRESS
DEPLOYMENT = "lab-ingress"
IMAGE = f"registry.lab/{HTTP[0]}:{HTTP[1]}"
"""Any registry name: the nodes' mirror answers for all of them."""

PORT = 8080
QUICKLY = [
    {"key": f"node.kubernetes.io/{kind}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    for kind in ("not-ready", "unreachable")
]
"""A pod of a dead node is replaced after seconds, not after the default of five minutes."""


def manifest(selector: Mapping[str, str], replicas: int) -> dict[str, Any]:
    """Return the Deployment: pods with the labels that the Service selects, each on a node of its own."""
    own_node = {"labelSelector": {"matchLabels": dict(selector)}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": DEPLOYMENT, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(selector)},
            "template": {
                "metadata": {"labels": dict(selector)},
                "spec": {
                    "affinity": {
                        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [own_node]}
                    },
                    "tolerations": QUICKLY,
                    "terminationGracePeriodSeconds": 1,
                    "containers": [_container()],
                },
            },
        },
    }


def _container() -> dict[str, Any]:
    fields = {"POD": "metadata.name", "NODE": "spec.nodeName"}
    return {
        "name": "http",
        "image": IMAGE,
        "args": [f":{PORT}"],
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()
        ],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    }


def apply(cluster: Admin, replicas: int) -> dict[str, str]:
    """Run that many ingress pods; return the node of each pod by its name, once all are ready."""
    # The selector is read from the Service: a copy here would hide a wrong one in the program.
    service = cluster.get("service", SERVICE, f"--namespace={NAMESPACE}")
    selector: dict[str, str] = service["spec"]["selector"]
    cluster.kubectl("apply", "--filename=-", stdin=json.dumps(manifest(selector, replicas)))
    # Endpoints and not pods: only those are what Cilium sends connections to.
    wait_for(f"{replicas} ingress pods", lambda: len(endpoints(cluster)) == replicas)
    return endpoints(cluster)


def endpoints(cluster: Admin) -> dict[str, str]:
    """Return the node of each ready pod behind the ingress Service."""
    slices = cluster.get(
        "endpointslices", f"--namespace={NAMESPACE}", f"--selector=kubernetes.io/service-name={SERVICE}"
    )
    found = (entry for one in slices["items"] for entry in one.get("endpoints") or [])
    return {
        entry["targetRef"]["name"]: entry["nodeName"]
        for entry in found
        if entry.get("conditions", {}).get("ready")
    }


def addresses(cluster: Admin) -> dict[str, str]:
    """Return the address of each ingress pod by the node it runs on."""
    selector = cluster.get("service", SERVICE, f"--namespace={NAMESPACE}")["spec"]["selector"]
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    pods = cluster.get("pods", f"--namespace={NAMESPACE}", f"--selector={labels}")["items"]
    # A pod that is going away still has its address, which may already be dead.
    running = (
        pod for pod in pods if pod["status"].get("podIP") and "deletionTimestamp" not in pod["metadata"]
    )
    return {pod["spec"]["nodeName"]: pod["status"]["podIP"] for pod in running}


def lease_holder(cluster: Admin) -> str | None:
    """Return the node that holds the announcement lease of the ingress Service."""
    name = kinds.lease_name(NAMESPACE, SERVICE)
    leases = cluster.get("leases", "--namespace=kube-system")["items"]
    held = (lease["spec"].get("holderIdentity") for lease in leases if lease["metadata"]["name"] == name)
    # A lease that was given up stays, with an empty holder.
    return next(held, None) or None
