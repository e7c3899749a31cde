"""The gate behind the Cilium release: the agent on every node, the operator available."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.cilium.rollout import daemonset_lacks, deployment_lacks, pod_troubles
from steps.inputs import CiliumReadyInputs
from steps.kubernetes_gates import gate

if TYPE_CHECKING:
    from clients.kubernetes.api import Kube
    from steps.job import Job


def cilium_ready(job: Job) -> str:
    """Wait until DaemonSet cilium runs on every node and Deployment cilium-operator is available."""
    namespace = job.inputs(CiliumReadyInputs).namespace
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"

    def lacks(kube: Kube) -> str:
        agent = daemonset_lacks(kube.find(f"{apps}/daemonsets/cilium"), len(kube.items("/api/v1/nodes")))
        operator = deployment_lacks(kube.find(f"{apps}/deployments/cilium-operator"))
        if not agent and not operator:
            return ""
        label = "k8s-app%3Dcilium" if agent else "io.cilium%2Fapp%3Doperator"
        troubles = pod_troubles(kube.items(f"{core}/pods?labelSelector={label}"))
        return "; ".join(filter(None, (agent, operator, *troubles)))

    check = f"`kubectl -n {namespace} get pods -o wide` and the logs of the pods that are not ready"
    return gate(job, "Cilium", check, lacks, f"Cilium rolled out in {namespace}")
