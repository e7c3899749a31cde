"""The checks of `ops verify` about the machines: which are there, what they run, and who is in etcd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.table import Row, judged, not_applicable, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model import Cluster
    from ops.facts import Seen


def rows(cluster: Cluster, seen: Seen) -> Iterator[Row]:
    """Yield a line for each claim about the machines."""
    yield endpoint(cluster, seen)
    yield nodes(cluster, seen)
    yield other_nodes(cluster, seen)
    yield versions("Talos", cluster.versions.talos, {node.name: node.talos for node in seen.nodes})
    kubelets = {node.name: node.kubernetes for node in seen.nodes}
    yield versions("Kubernetes", cluster.versions.kubernetes, kubelets)
    yield etcd(cluster, seen)


def nodes(cluster: Cluster, seen: Seen) -> Row:
    """Every node of the config is there and Ready, as the Kubernetes API says."""
    wanted = {node.name for node in cluster.nodes}
    ready = {node.name for node in seen.nodes if node.ready}
    missing = sorted(wanted - ready)
    return judged(
        "nodes Ready",
        f"not Ready or not there: {some(missing)}" if missing else "",
        f"{len(wanted)} of {len(wanted)}",
        "`kubectl get nodes`, then `kubectl -n kube-system get pods -o wide` for Cilium on those nodes",
    )


def endpoint(cluster: Cluster, seen: Seen) -> Row:
    """The API server answers at the endpoint of the config: at the VIP, where there is one."""
    host = cluster.endpoint.vip or cluster.endpoint.host
    wanted = f"{host}:{cluster.endpoint.port}"
    what = "the VIP, which a control plane holds" if cluster.endpoint.vip else "the endpoint of the config"
    return judged(
        "Kubernetes API at the endpoint",
        "" if seen.server == wanted else f"the kubeconfig is for {seen.server}, the config says {wanted}",
        f"{wanted} answers: {what}",
        "`pulumi up` issues a kubeconfig for the endpoint",
    )


def other_nodes(cluster: Cluster, seen: Seen) -> Row:
    """No Node is there that the config does not have: a removed machine, or somebody else's."""
    # A machine that was taken out of the stack file keeps running pods until somebody drains it.
    others = sorted({node.name for node in seen.nodes} - {node.name for node in cluster.nodes})
    return judged(
        "no other nodes",
        f"not in the config: {some(others)}" if others else "",
        "every Node is one of the config",
        "add it to the stack file, or drain it, reset it and `kubectl delete node`",
    )


def versions(what: str, wanted: str, found: Mapping[str, str]) -> Row:
    """Every node runs the release of the config, as its kubelet reports."""
    wrong = [name for name in sorted(found) if found[name] != wanted]
    lacks = some([f"{name} runs {found[name] or 'another system'}" for name in wrong])
    return judged(
        f"{what} {wanted}",
        lacks,
        f"on {len(found)} of {len(found)} nodes",
        f"put what runs into versions.{what.lower()}; this program does not upgrade nodes yet",
    )


def etcd(cluster: Cluster, seen: Seen) -> Row:
    """The healthy members of etcd are the control planes of the config, all of them and nobody else."""
    check, view = "etcd members", seen.etcd
    if view.unknown:
        return not_applicable(check, view.unknown)
    missing = sorted(name for name, member in view.members.items() if not member)
    # A member that is gone still counts for the quorum, so one more failure may stop etcd.
    strangers = sorted(view.listed - set(view.members.values()))
    lacks = [
        *([f"no healthy member: {some(missing)}"] if missing else []),
        *([f"members that are no control plane of the config: {some(strangers)}"] if strangers else []),
    ]
    count = len(cluster.control_planes)
    return judged(
        check,
        "; ".join(lacks),
        f"{count} of {count}, and no other",
        "`talosctl etcd members` and `talosctl service etcd`",
    )
