"""The Kubernetes provider: this cluster, by its own kubeconfig, whatever `~/.kube/config` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_kubernetes as k8s

if TYPE_CHECKING:
    from components.talos import TalosCluster
    from model import Cluster


def kubernetes_provider(cluster: Cluster, talos: TalosCluster) -> k8s.Provider:
    """Return the provider of everything inside the cluster.

    It asks the API server once, when it is configured: made before that answers, it calls the cluster
    unreachable for the rest of the run. So it waits for the API, not just for a kubeconfig.
    """
    handover = cluster.load_balancer.owner == "handover"
    return k8s.Provider(
        "kubernetes",
        kubeconfig=talos.kubeconfig,
        cluster_identifier=cluster.name,  # a renewed kubeconfig is still this cluster: nothing is replaced
        enable_server_side_apply=True,
        # At any other time an object that somebody else made is an error.
        upsert_existing_objects=True if handover else None,
        opts=pulumi.ResourceOptions(depends_on=talos.serving),
    )
