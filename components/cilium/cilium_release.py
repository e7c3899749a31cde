"""Cilium: the Helm release and the gates that prove it works before anything needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes as k8s

from components.cilium.repair import repair_hook
from components.cilium.values import helm_values
from components.component import Component, KubernetesArgs
from components.step_command import Step
from components.talos.step_inputs import config_digest
from model.versions import GATEWAY_API, minor
from steps.inputs import CiliumReadyInputs, CrdsInputs, NodesReadyInputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model import Cluster
    from model.cilium import Chart
    from model.ingress import IngressChart

NAMESPACE = "kube-system"
RELEASE = "cilium"
CRDS = ("ciliumloadbalancerippools.cilium.io", "ciliuml2announcementpolicies.cilium.io")
"""Definitions that the running operator registers; the chart has none."""

GATEWAY_KINDS = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants")
"""Kinds without which Cilium's operator starts no Gateway controller (operator/pkg/gateway-api)."""

GATEWAY_KINDS_SINCE_1_20 = ("tlsroutes", "backendtlspolicies")


class CiliumRelease(Component):
    """Cilium released, rolled out on every node, its resource kinds known, every node Ready."""

    def __init__(self, name: str, args: KubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:cilium:Cilium", name, None, opts)
        # Said at each run, because the limit decides how many Services a node can announce.
        pulumi.log.info(rate_limit_note(args.cluster), self)
        gateways = args.cluster.cilium.gateway_api.enabled
        release = self._release(args, [self.run("gateway-crds", gateway_crds(args))] if gateways else [])
        # A new revision is what makes the gates behind it ask again.
        revision = release.status.revision.apply(str)
        ready = self.run("ready", rolled_out(args, revision), [release])
        self.run("crds", crds_established(args), [ready])
        self.run("nodes", nodes_ready(args), [ready])
        self.register_outputs({"version": args.cluster.versions.cilium})

    def _release(self, args: KubernetesArgs, after: Iterable[pulumi.Resource]) -> Any:  # noqa: ANN401 - untyped SDK
        cluster = args.cluster
        values = helm_values(cluster)
        seconds = round(cluster.timeouts.cilium)
        limit = f"{seconds}s"
        own = pulumi.ResourceOptions(
            # Uninstalling Cilium takes the network from every pod, this cluster has no other.
            protect=cluster.talos.protect,
            custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit, delete=limit),
            hooks=repair_hook(self.child_name("release-repair"), args, NAMESPACE, RELEASE, values),
        )
        return k8s.helm.v3.Release(
            self.child_name("release"),
            name=RELEASE,
            namespace=NAMESPACE,
            version=cluster.versions.cilium,
            values=values,
            timeout=seconds,
            skip_await=True,  # the gates wait, and say for what
            **chart_source(cluster.cilium.chart),
            opts=pulumi.ResourceOptions.merge(self.child_options(after), own),
        )


def rolled_out(args: KubernetesArgs, revision: pulumi.Input[str]) -> Step:
    """Wait until this revision of agent and operator runs everywhere."""
    return Step(
        inputs=CiliumReadyInputs(namespace=NAMESPACE),
        again={"REVISION": revision},
        timeout=args.cluster.timeouts.cilium,
        secrets=args.secrets,
    )


def rate_limit_note(cluster: Cluster) -> str:
    """Return the sentence about the size of Cilium's client rate limit."""
    balancer = cluster.load_balancer
    qps, burst = balancer.client_rate_limit
    return (
        f"each Cilium agent may send {qps} requests per second to the API, {burst} in a burst: up to "
        f"{balancer.lease_requests} renew leases ({balancer.expected_services} Services / renewDeadline)"
    )


def gateway_crds(args: KubernetesArgs) -> Step:
    """Wait until the kinds of the Gateway API exist: Cilium's operator looks for them only when it starts."""
    version = minor(args.cluster.versions.cilium)
    kinds = GATEWAY_KINDS + (GATEWAY_KINDS_SINCE_1_20 if version >= (1, 20) else ())
    release = GATEWAY_API[version]
    check = f"docs/ingress.md: somebody must install the CRDs of the Gateway API {release} before Cilium"
    return Step(
        inputs=CrdsInputs(crds=tuple(f"{kind}.gateway.networking.k8s.io" for kind in kinds), check=check),
        timeout=args.cluster.timeouts.crds,
        secrets=args.secrets,
    )


def crds_established(args: KubernetesArgs) -> Step:
    """Wait until the API server knows the kinds that the load balancer needs."""
    return Step(
        inputs=CrdsInputs(crds=CRDS),
        timeout=args.cluster.timeouts.crds,
        secrets=args.secrets,
    )


def nodes_ready(args: KubernetesArgs) -> Step:
    """Wait until the Kubernetes API reports each node as Ready; Talos itself does not ask without a CNI."""
    names = sorted(node.name for node in args.cluster.nodes)
    return Step(
        inputs=NodesReadyInputs(nodes=tuple(names)),
        again={"AFTER_CONFIG": config_digest(args.cluster)},
        timeout=args.cluster.timeouts.nodes,
        secrets=args.secrets,
    )


def chart_source(chart: Chart | IngressChart, name: str = RELEASE) -> dict[str, Any]:
    """Return the arguments of the release that say where the chart of that name is."""
    if chart.path is not None:
        return {"chart": chart.path}
    if chart.repository.startswith("oci://"):
        return {"chart": f"{chart.repository.removesuffix('/').removesuffix(f'/{name}')}/{name}"}
    return {"chart": name, "repository_opts": {"repo": chart.repository}}
