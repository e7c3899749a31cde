"""The Gateway of Cilium that has the ingress's address; Cilium makes its Service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model import Ingress

GATEWAY_CLASS = "cilium"


def gateway_manifest(ingress: Ingress) -> dict[str, Any]:
    """Return the Gateway: HTTP on 80, HTTPS on 443 where there is a certificate; routes of any namespace."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {
            "name": ingress.name,
            "namespace": ingress.namespace,
            # Programmed needs an agent; the gates of our own ask for the address and the lease.
            "annotations": {"pulumi.com/skipAwait": "true"},
        },
        "spec": {
            "gatewayClassName": GATEWAY_CLASS,
            "addresses": [{"type": "IPAddress", "value": str(ingress.address)}],
            "listeners": _listeners(ingress),
        },
    }


def _listeners(ingress: Ingress) -> list[dict[str, Any]]:
    # Applications live in namespaces of their own, and the Gateway in that of the ingress.
    routes = {"namespaces": {"from": "All"}}
    listeners: list[dict[str, Any]] = [
        {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": routes}
    ]
    if ingress.tls_secret is not None:
        tls = {"mode": "Terminate", "certificateRefs": [{"name": ingress.tls_secret}]}
        listeners.append(
            {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, "allowedRoutes": routes}
        )
    return listeners
