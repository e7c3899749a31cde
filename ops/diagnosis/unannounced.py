"""Why an assigned address may not answer on the LAN; `unassigned` is about addresses nobody assigned.

Lease and policy are facts of the Kubernetes API. That somebody answers ARP is not: with an interface
expression that matches no link the lease is held all the same, so links are compared with what Talos reports.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from model.versions import LOCAL_TRAFFIC_POLICY_SINCE, release
from ops.diagnosis.finding import Finding
from ops.facts import matches
from ops.table import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Network

    from ops.facts import KubernetesNode, Link, Policy, Seen, Service

SYNTHETIC_BACKEND = IPv4Address("192.192.192.192")
"""The one endpoint of a Service that Cilium makes for a Gateway or an Ingress; it is on no node."""

DEFAULT_QPS, DEFAULT_RENEW = 10.0, 5.0
"""Cilium's own `k8s-client-qps` and `l2-announcements-renew-deadline`, where the ConfigMap has none."""

_HEADROOM = 0.5  # share of the agent's requests that leases may take before the others delay them
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def unannounced(service: Service, seen: Seen, lan: IPv4Network, cilium: str) -> Iterator[Finding]:
    """Yield why nobody, or the wrong one, may answer for a Service that holds an address."""
    policies = [p for p in seen.policies if p.load_balancer_ips and p.services.matches(service.selectable)]
    # Without a policy no node competes, so that every later question would be about nothing.
    if not policies:
        yield no_policy(service, seen)
        return
    yield from (
        Finding(f"policy {p.name}: {fault}", "`pulumi up`, or repair it")
        for p in policies
        for fault in p.faults
    )
    candidates = [n for n in seen.nodes if any(p.nodes.matches(n.labels) for p in policies)]
    if not candidates:
        yield no_node(policies)
        return
    backends = list(without_backend(service, candidates, cilium))
    yield from backends
    # Without a backend no node competes, so the missing lease would only repeat the cause.
    if not backends:
        yield from lease(service, seen)
    yield from rate_limit(seen)
    for node in candidates:
        yield from links(node.name, policies, seen, lan)


def no_policy(service: Service, seen: Seen) -> Finding:
    """No policy announces LoadBalancer addresses of this Service."""
    silent = [policy.name for policy in seen.policies]
    cause = f"no L2 policy with loadBalancerIPs selects {service.key} (policies: {some(silent) or 'none'})"
    return Finding(cause, "`pulumi up`, or the policy's serviceSelector")


def no_node(policies: list[Policy]) -> Finding:
    """The policies select no node: nobody competes for the lease, and nothing says so."""
    selectors = "; ".join(f"{policy.name}: {policy.nodes}" for policy in policies)
    return Finding(
        f"the policy selects no node ({selectors})",
        "loadBalancer.nodeSelector; on a cluster of control planes only, they must announce",
    )


def without_backend(service: Service, candidates: list[KubernetesNode], cilium: str) -> Iterator[Finding]:
    """Yield what is wrong with where the pods behind the Service run."""
    # Cilium redirects this address to Envoy on the node; it never is a pod that could be asked.
    if str(SYNTHETIC_BACKEND) in service.backend_addresses:
        if service.local:
            yield Finding(
                "it belongs to a Cilium Gateway or Ingress, whose one backend is on no node, "
                "and with externalTrafficPolicy Local only nodes with a backend announce",
                "externalTrafficPolicy: Cluster for Cilium's own Gateway and Ingress",
            )
        return
    if not service.backend_addresses:
        yield Finding("no pod behind it is ready", "its selector and the pods' readiness")
        return
    # With policy Cluster any node passes traffic on, so it does not matter where the pods run.
    if not service.local:
        return
    if release(cilium) < LOCAL_TRAFFIC_POLICY_SINCE:
        yield Finding(
            f"Cilium {cilium} announces externalTrafficPolicy Local from any node, with or without a pod",
            "Cilium 1.20.2 or newer, or externalTrafficPolicy: Cluster",
        )
    elif not service.backend_nodes & {node.name for node in candidates}:
        yield Finding(
            f"externalTrafficPolicy Local: its pods run on {some(sorted(service.backend_nodes))}, "
            f"the policy selects {some(sorted(node.name for node in candidates))}",
            "run the pods on announcing nodes, widen loadBalancer.nodeSelector, or use Cluster",
        )


def lease(service: Service, seen: Seen) -> Iterator[Finding]:
    """Yield why the lease proves nobody's announcement."""
    found = seen.leases.get(service.key)
    if found is not None and found.lacks:
        yield Finding(
            found.lacks,
            "`kubectl -n kube-system logs ds/cilium | grep l2-announcer` on the nodes of the policy",
        )


def rate_limit(seen: Seen) -> Iterator[Finding]:
    """Yield if the leases of all announced Services can starve the agent's client."""
    qps = _number(seen.settings.get("k8s-client-qps"), DEFAULT_QPS)
    renew = seconds(seen.settings.get("l2-announcements-renew-deadline"), DEFAULT_RENEW)
    # In the worst case one node holds every lease and renews each once per deadline.
    needed = sum(bool(service.addresses) for service in seen.services) / renew
    if needed > qps * _HEADROOM:
        yield Finding(
            f"leases alone may need {needed:g} of the {qps:g} requests a second that an agent has: they flap",
            "raise loadBalancer.expectedServices, which sizes k8sClientRateLimit",
        )


def links(node: str, policies: list[Policy], seen: Seen, lan: IPv4Network) -> Iterator[Finding]:
    """Yield what is wrong with the links of a node that may announce; nothing where Talos was not asked."""
    there = seen.links.get(node)
    if there is None:
        return
    matched = [link for link in there if any(matches(policy.interfaces, link.name) for policy in policies)]
    if not matched:
        yield unmatched(node, policies, there)
        return
    inside = [link for link in matched if link.inside(lan)]
    if not inside:
        yield Finding(
            f"{node} has no address in {lan} on {_names(matched)}: it may answer ARP, but not IP",
            "lanAddress of the node where lan.tagged is true, else its address",
        )
    if len(inside) > 1:
        yield Finding(
            f"{node} has {_names(inside)} in {lan}, all announced: the MAC address flaps",
            "one link in loadBalancer.interfaces, or one address in the LAN per node",
        )


def unmatched(node: str, policies: list[Policy], there: tuple[Link, ...]) -> Finding:
    """The policy's expressions match no link of the node: it may hold the lease, and nobody answers ARP."""
    expressions = [expression for policy in policies for expression in policy.interfaces]
    return Finding(
        f"{', '.join(expressions)} matches no link of {node} ({_names(there)}): "
        "it may hold the lease, but does not answer ARP",
        "loadBalancer.interfaces takes kernel names; aliases and alternative names do not count",
    )


def _names(links: Sequence[Link]) -> str:
    return some([link.name for link in links])


def seconds(text: str | None, default: float) -> float:
    """Return the seconds of a Go duration of one unit, as the program writes it."""
    unit = next((unit for unit in _UNITS if text and text.removesuffix(unit).isdecimal()), None)
    return float((text or "").removesuffix(unit)) * _UNITS[unit] if unit else default


def _number(text: str | None, default: float) -> float:
    return float(text) if text and text.replace(".", "", 1).isdecimal() else default
