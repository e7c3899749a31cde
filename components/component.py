"""What the components share: how their children are named, parented and ordered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi

from components.objects import kubernetes_object
from components.step_command import run_step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulumi_command import local

    from components.step_command import Step
    from model import Cluster


class Component(pulumi.ComponentResource):
    """A component whose children carry its name as prefix and have it as parent."""

    def child_name(self, suffix: str) -> str:
        """Return the name of a child; `suffix` comes from the config, never from a position in a list."""
        # A name by position would replace every resource behind a removed entry.
        return f"{self.pulumi_resource_name}-{suffix}"

    def child_options(self, after: Iterable[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Return the options of a child that is made after these siblings."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))

    def run(self, suffix: str, step: Step, after: Iterable[pulumi.Resource] = ()) -> local.Command:
        """Return the child that runs a step."""
        return run_step(self.child_name(suffix), step, self.child_options(after))

    def create(
        self,
        suffix: str,
        manifest: Mapping[str, Any],
        after: Iterable[pulumi.Resource] = (),
        own: pulumi.ResourceOptions | None = None,
    ) -> pulumi.CustomResource:
        """Return the child that is a Kubernetes object; `own` adds options of its own."""
        options = pulumi.ResourceOptions.merge(self.child_options(after), own)
        return kubernetes_object(self.child_name(suffix), manifest, options)


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesArgs:
    """What a component needs that works inside the Kubernetes cluster.

    Attributes:
        cluster: The checked config.
        kubeconfig: Kubeconfig for its gates; secret.
    """

    cluster: Cluster
    kubeconfig: pulumi.Input[str] = field(repr=False)

    @property
    def secrets(self) -> dict[str, pulumi.Input[str]]:
        """What a gate gets on stdin."""
        return {"kubeconfig": self.kubeconfig}
