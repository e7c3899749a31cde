"""Namespace and Service of the ingress as manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model import Ingress

REQUEST = "lbipam.cilium.io/ips"
"""Annotation by which a Service asks Cilium for addresses."""


def namespace_manifest(ingress: Ingress) -> dict[str, Any]:
    """Return the Namespace of the ingress."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ingress.namespace}}


def service_manifest(ingress: Ingress) -> dict[str, Any]:
    """Return the Service; its target ports are those that ingress controllers name `http` and `https`."""
    annotations = {
        REQUEST: str(ingress.address),
        # A gate of our own waits and gives Cilium's reason; the provider would also want endpoints.
        "pulumi.com/skipAwait": "true",
    }
    ports = {"http": 80, "https": 443}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": ingress.name, "namespace": ingress.namespace, "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": ingress.external_traffic_policy,
            "selector": dict(sorted(ingress.selector.items())),
            "ports": [
                {"name": name, "port": port, "protocol": "TCP", "targetPort": name}
                for name, port in ports.items()
            ],
        },
    }
