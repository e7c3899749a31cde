"""What the rollout of Cilium's agent and operator lacks: judgements over objects of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.kubernetes.api import condition, is_true

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clients.kubernetes.api import Object


_SHOWN = 3  # pods named in a message


def daemonset_lacks(daemonset: Object | None, nodes: int) -> str:
    """Return what the agent's DaemonSet lacks to be rolled out on that many nodes, or an empty text."""
    if daemonset is None:
        return "DaemonSet cilium does not exist"
    status = daemonset.get("status", {})
    # Until the controller has seen a change, its numbers are those of the version before.
    if _unobserved(daemonset):
        return "DaemonSet cilium has a change that its controller has not seen yet"
    desired, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    # A DaemonSet without nodes is "ready" at once, and says nothing about the cluster.
    if desired != nodes or not nodes:
        return f"DaemonSet cilium is wanted on {desired} of {nodes} nodes"
    updated = status.get("updatedNumberScheduled", 0)
    # During a rolling update every pod may be ready while half of them are old.
    if updated != desired:
        return f"DaemonSet cilium is updated on {updated} of {desired} nodes"
    return "" if ready == desired else f"DaemonSet cilium is ready on {ready} of {desired} nodes"


def deployment_lacks(deployment: Object | None) -> str:
    """Return what the operator's Deployment lacks to be available, or an empty text."""
    if deployment is None:
        return "Deployment cilium-operator does not exist"
    if _unobserved(deployment):
        return "Deployment cilium-operator has a change that its controller has not seen yet"
    status, wanted = deployment.get("status", {}), deployment.get("spec", {}).get("replicas", 1)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    # Available counts pods of the old ReplicaSet too.
    if updated != wanted:
        return f"Deployment cilium-operator has {updated} of {wanted} updated replicas"
    if is_true(deployment, "Available"):
        return ""
    return f"Deployment cilium-operator has {available} of {wanted} replicas available"


def _unobserved(item: Object) -> bool:
    """Return whether the controller's status is of an older generation."""
    observed: int = item.get("status", {}).get("observedGeneration", 0)
    wanted: int = item["metadata"]["generation"]
    return observed < wanted


def pod_troubles(pods: Iterable[Object]) -> list[str]:
    """Return what the first pods that are not ready say about it."""
    troubles = [
        f"{pod['metadata']['name']}{_where(pod)}: {_reason(pod)}" for pod in pods if not is_true(pod, "Ready")
    ]
    return troubles[:_SHOWN]


def _where(pod: Object) -> str:
    """Return the node of a pod as part of a sentence."""
    node = pod.get("spec", {}).get("nodeName", "")
    return f" on {node}" if node else ""


def _reason(pod: Object) -> str:
    """Return why a pod is not ready: a container's reason, else the scheduler's, else its phase."""
    status = pod.get("status", {})
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state", {})
        said = state.get("waiting") or (
            state.get("terminated") if state.get("terminated", {}).get("exitCode") else None
        )
        # The first container that waits hides the ones behind it; those two reasons only say "not yet".
        if said and said.get("reason") not in {None, "PodInitializing", "ContainerCreating"}:
            return f"{container['name']} {said['reason']} {said.get('message', '')}".strip()
    scheduled = condition(pod, "PodScheduled") or {}
    return str(scheduled.get("message") or status.get("phase") or "no status yet")
