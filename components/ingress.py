"""IngressService: the Service that asks for its own address on the LAN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from components.base import Component, KubernetesArgs
from components.commands import Step

if TYPE_CHECKING:
    from model import Ingress

BUILT_IN_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
"""Namespaces that every cluster has; creating one would fail."""


class IngressService(Component):
    """The ingress Service with its address assigned and announced; empty where something else creates it."""

    def __init__(self, name: str, args: KubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:kubernetes:IngressService", name, None, opts)
        ingress = args.cluster.ingress
        if ingress.controller == "service":
            self._prove(args, self._create_service(ingress))
        self.register_outputs({"address": str(ingress.address or "")})

    def _create_service(self, ingress: Ingress) -> pulumi.CustomResource:
        namespace = []
        if ingress.namespace not in BUILT_IN_NAMESPACES:
            namespace = [self.create("namespace", namespace_manifest(ingress))]
        # Two Services never ask for one address: a renamed one goes before the new one comes.
        alone = pulumi.ResourceOptions(delete_before_replace=True)
        return self.create("service", service_manifest(ingress), namespace, alone)

    def _prove(self, args: KubernetesArgs, service: pulumi.CustomResource) -> None:
        assigned = self.run("address", address_assigned(args), [service])
        if args.cluster.load_balancer.verify_lease:
            self.run("lease", lease_held(args), [assigned])


def address_assigned(args: KubernetesArgs) -> Step:
    """Wait until the Service has the address it asked for."""
    ingress = args.cluster.ingress
    return Step(
        name="address-assigned",
        timeout=args.cluster.timeouts.address,
        environment={"SERVICE": service_key(ingress), "ADDRESS": str(ingress.address)},
        secrets=args.secrets,
    )


def lease_held(args: KubernetesArgs) -> Step:
    """Wait until a node holds the lease, which makes it answer ARP for the address."""
    return Step(
        name="lease-held",
        timeout=args.cluster.timeouts.lease,
        environment={"SERVICE": service_key(args.cluster.ingress)},
        secrets=args.secrets,
    )


def service_key(ingress: Ingress) -> str:
    """Return `namespace/name`."""
    return f"{ingress.namespace}/{ingress.name}"


def namespace_manifest(ingress: Ingress) -> dict[str, Any]:
    """Return the Namespace of the ingress Service."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ingress.namespace}}


def service_manifest(ingress: Ingress) -> dict[str, Any]:
    """Return the Service; its target ports are those that ingress controllers name `http` and `https`."""
    annotations = {
        "lbipam.cilium.io/ips": str(ingress.address),
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
