"""TalosCluster: secrets, machine configs, nodes, etcd and a Kubernetes API that answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from components.component import Component
from components.step_command import run_step, secret_stdout
from components.talos import step_inputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulumi_command import local

    from components.step_command import Step
    from model import Cluster

ONCE = [
    *("addPreviousOutputInEnv", "archivePaths", "assetPaths", "create", "delete", "dir", "environment"),
    *("interpreter", "logging", "stdin", "triggers", "update"),
]
"""All inputs of a Command: whatever changes, also a default of the provider, must not run a step again that
makes the cluster's identity or starts its etcd."""


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

    Machines become nodes in parallel; whatever happens to a node later, the set of nodes does, one at a time.
    """

    kubeconfig: pulumi.Output[str]
    """Kubeconfig of the administrator; secret."""
    talosconfig: pulumi.Output[str]
    """Talosconfig of the administrator; secret."""
    serving: tuple[pulumi.Resource, ...]
    """What comes before anything inside the cluster: all but Talos' own health check, which runs beside it.

    It has the set of nodes, so that `pulumi destroy` removes what is in the cluster before it wipes nodes.
    """

    def __init__(self, name: str, args: TalosClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:talos:Cluster", name, None, opts)
        cluster = args.cluster
        network = self.run("network", step_inputs.network(cluster))
        secrets = self._generate_secrets(cluster) if args.secrets is None else args.secrets
        self.talosconfig = secret_stdout(self.run("talosconfig", step_inputs.talosconfig(cluster, secrets)))
        configs, births = self._give_birth(cluster, secrets, network)
        control_planes = births[: len(cluster.control_planes)]
        # It needs no running API, so it is made while the nodes still boot.
        self.kubeconfig = self._issue_kubeconfig(cluster, control_planes)
        bootstrap = step_inputs.bootstrap(cluster, self.talosconfig)
        bootstrapped = self._run_once("bootstrap", bootstrap, cluster, control_planes)
        step = step_inputs.nodes(cluster, configs, self.kubeconfig, self.talosconfig)
        nodes = self.run("nodes", step, [bootstrapped, *births])
        etcd = self.run("etcd", step_inputs.etcd(cluster, self.talosconfig), [nodes])
        api = self.run("api-ready", step_inputs.api_ready(cluster, self.kubeconfig), [etcd])
        # Beside Cilium, not before it: the check needs no CNI and takes as long as the rollout.
        self.run("talos-health", step_inputs.talos_health(cluster, self.talosconfig), [api])
        self.serving = (api, nodes)
        self.register_outputs({"kubeconfig": self.kubeconfig, "talosconfig": self.talosconfig})

    def _generate_secrets(self, cluster: Cluster) -> pulumi.Output[str]:
        return secret_stdout(self._run_once("secrets", step_inputs.secrets(cluster), cluster))

    def _give_birth(
        self, cluster: Cluster, secrets: pulumi.Input[str], network: pulumi.Resource
    ) -> tuple[dict[str, pulumi.Input[str]], list[local.Command]]:
        """Return the machine configs by node, and what made a node of each machine, control planes first.

        No machine is touched before every machine config is valid and every machine is what it should be.
        """
        nodes = (*cluster.control_planes, *cluster.workers)
        generated = [
            self.run(
                f"machine-config-{node.name}", step_inputs.machine_config(cluster, node, secrets), [network]
            )
            for node in nodes
        ]
        preflight = self.run("preflight", step_inputs.preflight(cluster, self.talosconfig), generated)
        configs: dict[str, pulumi.Input[str]] = {}
        births: list[local.Command] = []
        for node, command in zip(nodes, generated, strict=True):
            configs[node.name] = secret_stdout(command)
            step = step_inputs.apply(cluster, node, configs[node.name], self.talosconfig)
            births.append(self.run(f"apply-{node.name}", step, [preflight]))
        return configs, births

    def _issue_kubeconfig(
        self,
        cluster: Cluster,
        control_planes: Iterable[pulumi.Resource],
    ) -> pulumi.Output[str]:
        # A control plane issues it from the CA in its config, before there is an API or etcd.
        return secret_stdout(
            self.run("kubeconfig", step_inputs.kubeconfig(cluster, self.talosconfig), control_planes)
        )

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
