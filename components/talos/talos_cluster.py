"""TalosCluster: secrets, machine configs, nodes, etcd and a Kubernetes API that answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from components.component import Component
from components.step_command import run_step, secret_stdout
from components.talos import step_inputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulumi_command import local

    from components.step_command import Step
    from model import Cluster

ONCE = ["create", "environment", "interpreter", "logging", "stdin", "addPreviousOutputInEnv"]
"""Inputs whose change must not run a step again that makes the cluster's identity or starts its etcd."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TalosClusterArgs:
    """What TalosCluster needs.

    Attributes:
        cluster: The checked config.
        secrets: An existing Talos secrets bundle; without it the cluster gets a new identity.
    """

    cluster: Cluster
    secrets: pulumi.Input[str] | None = field(default=None, repr=False)


class TalosCluster(Component):
    """Machines in maintenance mode become a Kubernetes cluster without a CNI.

    Nodes are configured in parallel; a step that has to reboot a node waits for those that do so already.
    """

    kubeconfig: pulumi.Output[str]
    """Kubeconfig of the administrator; secret."""
    talosconfig: pulumi.Output[str]
    """Talosconfig of the administrator; secret."""
    serving: tuple[pulumi.Resource, ...]
    """What comes before anything inside the cluster: all but Talos' own health check, which runs beside it.

    It has the resets, so that `pulumi destroy` removes what is in the cluster before it wipes nodes.
    """

    def __init__(self, name: str, args: TalosClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:talos:Cluster", name, None, opts)
        cluster = args.cluster
        network = self.run("network", step_inputs.network(cluster))
        secrets = self._generate_secrets(cluster) if args.secrets is None else args.secrets
        self.talosconfig = secret_stdout(self.run("talosconfig", step_inputs.talosconfig(cluster, secrets)))
        nodes = self._configure_nodes(cluster, secrets, network)
        control_planes = nodes[: len(cluster.control_planes)]
        resets = self._arm_resets(cluster, nodes) if cluster.talos.reset_on_destroy else []
        # It needs no running API, so it is made while the nodes still boot.
        self.kubeconfig = self._issue_kubeconfig(cluster, control_planes)
        api = self._start(cluster, control_planes)
        # Beside Cilium, not before it: the check needs no CNI and takes as long as the rollout.
        self.run("talos-health", step_inputs.talos_health(cluster, self.talosconfig), [api, *nodes])
        self.serving = (api, *nodes, *resets)
        self.register_outputs({"kubeconfig": self.kubeconfig, "talosconfig": self.talosconfig})

    def _generate_secrets(self, cluster: Cluster) -> pulumi.Output[str]:
        return secret_stdout(self._run_once("secrets", step_inputs.secrets(cluster), cluster))

    def _configure_nodes(
        self, cluster: Cluster, secrets: pulumi.Input[str], network: pulumi.Resource
    ) -> list[local.Command]:
        """Return the step that configured each node, control planes first.

        No node is touched before every machine config is valid and every machine is what it should be.
        """
        nodes = (*cluster.control_planes, *cluster.workers)
        configs = [
            self.run(
                f"machine-config-{node.name}", step_inputs.machine_config(cluster, node, secrets), [network]
            )
            for node in nodes
        ]
        preflight = self.run("preflight", step_inputs.preflight(cluster, self.talosconfig), configs)
        return [
            self.run(
                f"apply-{node.name}",
                step_inputs.apply(cluster, node, secret_stdout(config), self.talosconfig),
                [preflight],
            )
            for node, config in zip(nodes, configs, strict=True)
        ]

    def _arm_resets(self, cluster: Cluster, applied: Sequence[local.Command]) -> list[local.Command]:
        """Return what wipes the nodes when it is deleted: workers first, while there is an API."""
        resets: list[local.Command] = []
        for node, apply in zip((*cluster.control_planes, *cluster.workers), applied, strict=True):
            before = [] if node.is_control_plane else resets[: len(cluster.control_planes)]
            step = step_inputs.reset(cluster, node, self.talosconfig)
            resets.append(self.run(f"reset-{node.name}", step, [apply, *before]))
        return resets

    def _issue_kubeconfig(
        self,
        cluster: Cluster,
        control_planes: Iterable[pulumi.Resource],
    ) -> pulumi.Output[str]:
        # A control plane issues it from the CA in its config, before there is an API or etcd.
        return secret_stdout(
            self.run("kubeconfig", step_inputs.kubeconfig(cluster, self.talosconfig), control_planes)
        )

    def _start(self, cluster: Cluster, control_planes: Iterable[pulumi.Resource]) -> local.Command:
        """Return the gate behind which the Kubernetes API answers."""
        bootstrap = step_inputs.bootstrap(cluster, self.talosconfig)
        bootstrapped = self._run_once("bootstrap", bootstrap, cluster, control_planes)
        etcd = self.run("etcd", step_inputs.etcd(cluster, self.talosconfig), [bootstrapped])
        return self.run("api-ready", step_inputs.api_ready(cluster, self.kubeconfig), [etcd])

    def _run_once(
        self,
        suffix: str,
        step: Step,
        cluster: Cluster,
        after: Iterable[pulumi.Resource] = (),
    ) -> local.Command:
        once = pulumi.ResourceOptions(protect=cluster.talos.protect, ignore_changes=ONCE)
        opts = pulumi.ResourceOptions.merge(self.child_options(after), once)
        return run_step(self.child_name(suffix), step, opts)
