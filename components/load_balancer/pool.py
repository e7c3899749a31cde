"""LoadBalancerPool: the pools and the L2 policy in the cluster, where Pulumi owns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from components.base import Component, KubernetesArgs
from components.commands import Step, digest
from components.load_balancer.manifests import l2_policy, pools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model import Cluster


class LoadBalancerPool(Component):
    """Address pools without a conflict and the policy that announces them; empty where Flux owns both."""

    def __init__(self, name: str, args: KubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:cilium:LoadBalancerPool", name, None, opts)
        if args.cluster.load_balancer.owner != "flux":
            self._create_pools(args)
            self.create("policy", l2_policy(args.cluster), own=hold(args.cluster))
        self.register_outputs({"cidr": str(args.cluster.load_balancer.cidr)})

    def _create_pools(self, args: KubernetesArgs) -> None:
        wanted = pools(args.cluster)
        created: list[pulumi.CustomResource] = []
        for manifest in wanted:  # an address leaves the general pool, the first, before its own pool has it
            suffix = f"pool-{manifest['metadata']['name']}"
            created.append(self.create(suffix, manifest, created[:1], hold(args.cluster)))
        self.run("pool-valid", pools_valid(args, wanted), created)


def hold(cluster: Cluster) -> pulumi.ResourceOptions:
    """Return how fast the engine holds on to pools and policy.

    Deleting a pool takes the addresses from its Services at once. While Pulumi is the owner that is
    refused by the preview, as for the rest of the network; during a handover the objects stay where they are.
    """
    owner = cluster.load_balancer.owner
    return pulumi.ResourceOptions(
        protect=cluster.talos.protect and owner == "pulumi",
        retain_on_delete=owner == "handover",
    )


def pools_valid(args: KubernetesArgs, wanted: Sequence[dict[str, Any]]) -> Step:
    """Wait until Cilium has judged these pools; fail on a conflict."""
    return Step(
        name="pool-valid",
        timeout=args.cluster.timeouts.pool,
        environment={
            "POOLS": " ".join(manifest["metadata"]["name"] for manifest in wanted),
            "POOL_DIGEST": digest(list(wanted)),
        },
        secrets=args.secrets,
    )
