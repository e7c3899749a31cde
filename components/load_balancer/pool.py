"""LoadBalancerPool: the pools and the L2 policy in the cluster, where Pulumi owns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from components.component import Component, KubernetesArgs
from components.load_balancer.manifests import ingress_pool_name, l2_policy, pools
from components.step_command import Step, digest
from steps.inputs import AddressesKeptInputs, PoolValidInputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model import Cluster


class LoadBalancerPool(Component):
    """Address pools without a conflict and the policy that announces them; empty where Flux owns both."""

    def __init__(self, name: str, args: KubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:cilium:LoadBalancerPool", name, None, opts)
        if args.cluster.load_balancer.owner != "flux":
            # Flux owns both objects otherwise: a second owner would fight over their fields.
            self._create_pools(args)
            self.create("policy", l2_policy(args.cluster), own=hold(args.cluster))
        self.register_outputs({"cidr": str(args.cluster.load_balancer.cidr)})

    def _create_pools(self, args: KubernetesArgs) -> None:
        wanted = pools(args.cluster)
        # Before any pool changes, while the Services still hold what they had.
        guard = self.run("addresses", addresses_kept(args, wanted))
        created: list[pulumi.CustomResource] = []
        for manifest in wanted:  # an address leaves the general pool, the first, before its own pool has it
            suffix = self._suffix(args.cluster, manifest)
            created.append(
                self.create(suffix, manifest, [guard, *created[:1]], self._options(args.cluster, manifest))
            )
        self.run("pool-valid", pools_valid(args, wanted), created)

    def _options(self, cluster: Cluster, manifest: dict[str, Any]) -> pulumi.ResourceOptions:
        old = pulumi.Alias(name=self.child_name(f"pool-{manifest['metadata']['name']}"))
        # Two pools with one address are in conflict, so the one that leaves goes first.
        alone = pulumi.ResourceOptions(delete_before_replace=True, aliases=[old])
        return pulumi.ResourceOptions.merge(hold(cluster), alone)

    @staticmethod
    def _suffix(cluster: Cluster, manifest: dict[str, Any]) -> str:
        """Return the name of the resource: the pool of the ingress keeps it when its Service is renamed."""
        name = manifest["metadata"]["name"]
        return "pool-ingress" if name == ingress_pool_name(cluster) else f"pool-{name}"


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


def addresses_kept(args: KubernetesArgs, wanted: Sequence[dict[str, Any]]) -> Step:
    """Refuse to take an address away from a Service that holds it, unless the config acknowledges that."""
    balancer = args.cluster.load_balancer
    return Step(
        inputs=AddressesKeptInputs(
            pools="\n".join(line for manifest in wanted for line in pool_lines(manifest)),
            requests=own_requests(args.cluster),
            acknowledge=balancer.acknowledge or "",
        ),
        timeout=args.cluster.timeouts.pool,
        secrets=args.secrets,
    )


def pool_lines(manifest: dict[str, Any]) -> list[str]:
    """Return a pool as lines that a person reads in a preview: `homelab: 10.0.50.201-10.0.50.207`."""
    selector = manifest["spec"].get("serviceSelector")
    labels = selector["matchLabels"] if selector else {}
    owner = f" for {'/'.join(labels.values())}" if labels else ""
    name = manifest["metadata"]["name"]
    return [f"{name}: {block['start']}-{block['stop']}{owner}" for block in manifest["spec"]["blocks"]]


def own_requests(cluster: Cluster) -> tuple[str, ...]:
    """Return `namespace/name=address` of the Service that this program creates, or nothing."""
    ingress = cluster.ingress
    if ingress.controller in {"none", "external"} or ingress.address is None:
        return ()
    return (f"{ingress.namespace}/{ingress.service_name}={ingress.address}",)


def pools_valid(args: KubernetesArgs, wanted: Sequence[dict[str, Any]]) -> Step:
    """Wait until Cilium has judged these pools; fail on a conflict."""
    return Step(
        inputs=PoolValidInputs(pools=tuple(manifest["metadata"]["name"] for manifest in wanted)),
        again={"POOL_DIGEST": digest(list(wanted))},
        timeout=args.cluster.timeouts.pool,
        secrets=args.secrets,
    )
