"""The checks of `ops verify`: pure functions of the config and of what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.load_balancer.manifests import l2_policy, pools
from ops import parse_objects, verify_node_checks
from ops.facts import matches
from ops.table import Row, failed, judged, not_applicable, passed, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model import Cluster, Reservation
    from ops.facts import Block, Link, Seen, Service


def rows(cluster: Cluster, seen: Seen) -> Iterator[Row]:
    """Yield a line for everything that the Kubernetes API and Talos can tell."""
    yield from verify_node_checks.rows(cluster, seen)
    yield kube_proxy(seen)
    yield agents(seen)
    yield operator(seen)
    yield replacement(seen)
    yield from pool_rows(cluster, seen)
    yield policy(cluster, seen)
    for reservation in cluster.requested:
        yield requested(reservation, seen)
        yield lease(cluster, reservation, seen)
    for name in announcing(cluster):
        yield lan_address(cluster, name, seen)


def kube_proxy(seen: Seen) -> Row:
    """Nothing of kube-proxy runs: two of them would rewrite the same connections."""
    return judged(
        "kube-proxy absent",
        f"still there: {some(list(seen.kube_proxy))}" if seen.kube_proxy else "",
        "no DaemonSet and no pod of that name in kube-system",
        "cluster.proxy.disabled must be true in the machine config; then delete the DaemonSet",
    )


def agents(seen: Seen) -> Row:
    """The agent is rolled out on every node."""
    evidence = f"DaemonSet cilium is ready on {len(seen.nodes)} of {len(seen.nodes)} nodes"
    if seen.agents_absent:
        evidence += "; the pods are simulated"
    return judged(
        "Cilium agent rolled out", seen.agent_lacks, evidence, "`kubectl -n kube-system logs ds/cilium`"
    )


def operator(seen: Seen) -> Row:
    """The operator is available: it gives addresses to Services."""
    return judged(
        "Cilium operator available",
        seen.operator_lacks,
        "Deployment cilium-operator is available",
        "`kubectl -n kube-system logs deployment/cilium-operator`",
    )


def replacement(seen: Seen) -> Row:
    """The agents are told to replace kube-proxy; one that cannot does not start."""
    check = "kube-proxy replacement on"
    value = seen.settings.get("kube-proxy-replacement")
    # A ConfigMap holds text alone, so the chart's boolean is a word here.
    if value != "true":
        shown = "has no kube-proxy-replacement" if value is None else f"has kube-proxy-replacement={value!r}"
        return failed(check, f"ConfigMap cilium-config {shown}", "Helm value kubeProxyReplacement: true")
    evidence = "ConfigMap cilium-config has kube-proxy-replacement=true"
    if seen.agents and not seen.agent_lacks:
        evidence += f", and {len(seen.agents)} agents started with it (one that cannot replace it does not)"
    return passed(check, evidence)


def pool_rows(cluster: Cluster, seen: Seen) -> Iterator[Row]:
    """Every pool of the config exists with its addresses and has no conflict."""
    there = {pool.name: pool for pool in seen.pools}
    for manifest in pools(cluster):
        wanted = parse_objects.pool(manifest)
        check = f"pool {wanted.name}"
        # Taken out, so that what is left over are pools which the config does not name.
        found = there.pop(wanted.name, None)
        if found is None:
            owner = (
                "`pulumi up`"
                if cluster.load_balancer.owner == "pulumi"
                else "Flux: `flux get kustomizations`"
            )
            yield failed(check, "does not exist", f"it is created by {owner}")
        elif found.blocks != wanted.blocks or found.disabled:
            yield failed(check, "has other addresses than the config, or is disabled", "`ops render --check`")
        else:
            free = "" if found.available is None else f", {found.available} free"
            yield judged(
                check, found.lacks, f"no conflict, {ranges(found.blocks)}{free}", "`kubectl get ippools`"
            )
    for name, found in there.items():
        yield judged(f"pool {name}", found.lacks, "not of this config, no conflict", "`kubectl get ippools`")


def ranges(blocks: tuple[Block, ...]) -> str:
    """Return the blocks as people write them."""
    return ", ".join(str(b.start) if b.start == b.stop else f"{b.start} to {b.stop}" for b in blocks)


def policy(cluster: Cluster, seen: Seen) -> Row:
    """The L2 policy is there, Cilium accepts it, and it selects a node."""
    name = l2_policy(cluster)["metadata"]["name"]
    check = "L2 announcement policy"
    found = next((policy for policy in seen.policies if policy.name == name), None)
    if found is None:
        return failed(check, f"{name} does not exist", "without it no node answers ARP")
    if found.faults:
        return failed(check, "; ".join(found.faults), "`kubectl get l2announcement -o yaml`")
    if not found.load_balancer_ips:
        return failed(check, f"{name} has no loadBalancerIPs: true", "it announces no LoadBalancer address")
    # By the labels in the cluster: somebody may have changed them since the config was applied.
    selected = sorted(node.name for node in seen.nodes if found.nodes.matches(node.labels))
    return judged(
        check,
        "" if selected else f"{name} selects no node ({found.nodes})",
        f"{name} selects {some(selected)}; links {', '.join(found.interfaces) or 'all'}",
        "labels of the nodes, or loadBalancer.nodeSelector",
    )


def requested(reservation: Reservation, seen: Seen) -> Row:
    """A requested address is held by its Service and by no other that does not share it."""
    check = f"{reservation.address} assigned"
    key = f"{reservation.namespace}/{reservation.name}"
    found = seen.service(reservation.namespace, reservation.name)
    others = [s.key for s in seen.services if reservation.address in s.addresses and s.key != key]
    if found is None or reservation.address not in found.addresses:
        by = f"; {some(others)} holds it" if others else ""
        lacks = f"Service {key} {_instead(found)}{by}"
        return failed(check, lacks, "`python -m ops doctor` names the cause")
    shared = f", shared with {some(others)}" if others else ""
    return passed(check, f"Service {key} holds it{shared}")


def _instead(service: Service | None) -> str:
    if service is None:
        return "does not exist as a LoadBalancer"
    held = ", ".join(str(address) for address in service.addresses)
    reason = f" ({service.reason})" if service.reason else ""
    return f"holds {held or 'no address'}{reason}"


def lease(cluster: Cluster, reservation: Reservation, seen: Seen) -> Row:
    """A node of the policy holds the lease, which makes it answer ARP."""
    check = f"{reservation.address} announced"
    if seen.agents_absent:
        return not_applicable(check, f"{seen.agents_absent}, so nobody takes a lease")
    found = seen.leases.get(f"{reservation.namespace}/{reservation.name}")
    if found is None:
        return failed(check, "the Service holds no address, so there is nothing to announce")
    if found.lacks:
        return failed(check, found.lacks, "`python -m ops doctor` names the cause")
    expected = announcing(cluster)
    return judged(
        check,
        ""
        if found.holder in expected
        else f"{found.holder} holds the lease, but the config selects {some(expected)}",
        f"{found.holder} holds the lease and answers ARP for it",
        "the policy in the cluster is not that of the config: `python -m ops render --check`",
    )


def announcing(cluster: Cluster) -> list[str]:
    """Return the names of the nodes that the policy of the config selects."""
    return [node.name for node in cluster.announcing_nodes]


def lan_address(cluster: Cluster, name: str, seen: Seen) -> Row:
    """A node that may announce has its own address in the LAN, on a link that the policy matches."""
    check = f"{name} sits in {cluster.lan.cidr}"
    links = seen.links.get(name)
    if links is None:
        return not_applicable(
            check, seen.links_unknown or "no talosconfig was given, so Talos cannot be asked"
        )
    inside = [link for link in links if link.inside(cluster.lan.cidr)]
    # Cilium answers on links that match: an address on any other one does not help.
    matched = [link for link in inside if matches(cluster.interfaces, link.name)]
    if matched:
        return judged(check, _down(matched), "; ".join(_placed(link) for link in matched))
    if inside:
        seen_on = "; ".join(_placed(link) for link in inside)
        return failed(
            check, f"{seen_on}, which no interface of the policy matches", "loadBalancer.interfaces"
        )
    there = some([link.name for link in links])
    return failed(
        check, f"no link has an address there; links: {there}", "lanAddress of the node, lan.tagged"
    )


def _down(links: list[Link]) -> str:
    return "" if any(link.up for link in links) else f"{links[0].name} is down"


def _placed(link: Link) -> str:
    return f"{link.name} has {', '.join(str(address) for address in link.addresses)}"
