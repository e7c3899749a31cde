"""IngressService: whatever asks for the ingress's own address on the LAN, and the gates that prove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes as k8s

from components.cilium.cilium_release import chart_source
from components.component import Component, KubernetesArgs
from components.ingress.gateway import gateway_manifest
from components.ingress.nginx import CHART, nginx_values, release_name
from components.ingress.service import namespace_manifest, service_manifest
from components.step_command import Step
from steps.inputs import AddressAssignedInputs, LeaseHeldInputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model import Cluster, Ingress

BUILT_IN_NAMESPACES = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
"""Namespaces that every cluster has; creating one would fail."""


class IngressService(Component):
    """The ingress with its address assigned and announced; empty where something else creates it."""

    def __init__(self, name: str, args: KubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:kubernetes:IngressService", name, None, opts)
        ingress = args.cluster.ingress
        if ingress.controller not in {"external", "none"}:
            self._prove(args, self._create(args.cluster))
        self.register_outputs({"address": str(ingress.address or "")})

    def _create(self, cluster: Cluster) -> pulumi.Resource:
        """Return what asks for the address; what had it before under this name goes before it comes."""
        ingress = cluster.ingress
        # A built-in namespace exists already, and this program must not own it.
        namespace = []
        if ingress.namespace not in BUILT_IN_NAMESPACES:
            namespace = [self.create("namespace", namespace_manifest(ingress))]
        if ingress.controller == "nginx":
            release: pulumi.Resource = self._release(cluster, namespace)
            return release
        gateway = ingress.controller == "gateway"
        manifest = gateway_manifest(ingress) if gateway else service_manifest(ingress)
        alone = pulumi.ResourceOptions(delete_before_replace=True)
        return self.create("gateway" if gateway else "service", manifest, namespace, alone)

    def _release(self, cluster: Cluster, after: Iterable[pulumi.Resource]) -> Any:  # noqa: ANN401 - untyped SDK
        ingress = cluster.ingress
        limit = f"{round(cluster.timeouts.address)}s"
        own = pulumi.ResourceOptions(
            custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit, delete=limit),
            delete_before_replace=True,
        )
        return k8s.helm.v3.Release(
            self.child_name("release"),
            name=release_name(ingress),
            namespace=ingress.namespace,
            version=ingress.chart.version,
            values=nginx_values(ingress),
            timeout=round(cluster.timeouts.address),
            skip_await=True,  # the gates wait, and say for what
            **chart_source(ingress.chart, CHART),
            opts=pulumi.ResourceOptions.merge(self.child_options(after), own),
        )

    def _prove(self, args: KubernetesArgs, service: pulumi.Resource) -> None:
        assigned = self.run("address", address_assigned(args), [service])
        # Where agents are simulated nobody takes a lease, and the gate would wait in vain.
        if args.cluster.load_balancer.verify_lease:
            self.run("lease", lease_held(args), [assigned])


def address_assigned(args: KubernetesArgs) -> Step:
    """Wait until the Service has the address it asked for."""
    ingress = args.cluster.ingress
    return Step(
        inputs=AddressAssignedInputs(service=service_key(ingress), address=str(ingress.address)),
        timeout=args.cluster.timeouts.address,
        secrets=args.secrets,
    )


def lease_held(args: KubernetesArgs) -> Step:
    """Wait until a node holds the lease, which makes it answer ARP for the address."""
    return Step(
        inputs=LeaseHeldInputs(service=service_key(args.cluster.ingress)),
        timeout=args.cluster.timeouts.lease,
        secrets=args.secrets,
    )


def service_key(ingress: Ingress) -> str:
    """Return `namespace/name` of the Service that holds the address."""
    return f"{ingress.namespace}/{ingress.service_name}"
