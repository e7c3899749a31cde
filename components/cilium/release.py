"""Cilium: the Helm release and the gates that prove it works before anything needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_kubernetes as k8s

from components.base import Component, KubernetesArgs
from components.cilium.repair import repair_hook
from components.cilium.values import helm_values
from components.commands import Step
from components.talos.steps import config_digest

if TYPE_CHECKING:
    from model.kubernetes import Chart

NAMESPACE = "kube-system"
RELEASE = "cilium"
CRDS = ("ciliumloadbalancerippools.cilium.io", "ciliuml2announcementpolicies.cilium.io")
"""Definitions that the running operator registers; the chart has none."""


class Cilium(Component):
    """Cilium released, rolled out on every node, its resource kinds known, every node Ready."""

    def __init__(self, name: str, args: KubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:cilium:Cilium", name, None, opts)
        release = self._release(args)
        revision = release.status.revision.apply(str)
        ready = self.run("ready", rolled_out(args, revision), [release])
        self.run("crds", crds_established(args), [ready])
        self.run("nodes", nodes_ready(args), [ready])
        self.register_outputs({"version": args.cluster.versions.cilium})

    def _release(self, args: KubernetesArgs) -> Any:  # noqa: ANN401 - the generated SDK is not type-checked
        cluster = args.cluster
        values = helm_values(cluster)
        seconds = round(cluster.timeouts.cilium)
        limit = f"{seconds}s"
        own = pulumi.ResourceOptions(
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
            opts=pulumi.ResourceOptions.merge(self.child_options(), own),
        )


def rolled_out(args: KubernetesArgs, revision: pulumi.Input[str]) -> Step:
    """Wait until this revision of agent and operator runs everywhere."""
    return Step(
        name="cilium-ready",
        timeout=args.cluster.timeouts.cilium,
        environment={"REVISION": revision, "NAMESPACE": NAMESPACE},
        secrets=args.secrets,
    )


def crds_established(args: KubernetesArgs) -> Step:
    """Wait until the API server knows the kinds that the load balancer needs."""
    return Step(
        name="crds-established",
        timeout=args.cluster.timeouts.crds,
        environment={"CRDS": " ".join(CRDS)},
        secrets=args.secrets,
    )


def nodes_ready(args: KubernetesArgs) -> Step:
    """Wait until the Kubernetes API reports each node as Ready; Talos itself does not ask without a CNI."""
    names = sorted(node.name for node in args.cluster.nodes)
    return Step(
        name="nodes-ready",
        timeout=args.cluster.timeouts.nodes,
        environment={"NODES": " ".join(names), "AFTER_CONFIG": config_digest(args.cluster)},
        secrets=args.secrets,
    )


def chart_source(chart: Chart) -> dict[str, Any]:
    """Return the arguments of the release that say where the chart is."""
    if chart.path is not None:
        return {"chart": chart.path}
    if chart.repository.startswith("oci://"):
        return {"chart": f"{chart.repository.removesuffix('/').removesuffix('/cilium')}/cilium"}
    return {"chart": "cilium", "repository_opts": {"repo": chart.repository}}
