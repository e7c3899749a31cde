"""Warnings: a config that works, but perhaps not as its author thinks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.json_document import entries
from model.re2 import has_bare_dot
from model.rules.address_claims import of_nodes, of_services
from model.rules.talos_patches import placed, placed_at_nodes
from model.versions import GATEWAY_API, minor, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model.cluster import Cluster

# Cilium's default burst of API requests on a node; more renewals than that per second deserve a look.
_MANY_RENEWALS = 20
_SMALLEST_WITH_EDGES = 30
# Where the documents of Talos and the values of the chart hold secrets, by the last key.
_SECRET_KEYS = frozenset(
    {"identityToken", "passphrase", "password", "presharedKey", "privateKey", "secretKey"}
)


def advice(cluster: Cluster) -> tuple[str, ...]:
    """Return the warnings for a valid cluster, each `path: message` like a fault."""
    return tuple(warning for check in CHECKS for warning in check(cluster))


def even_control_planes(cluster: Cluster) -> Iterator[str]:
    """An even number of etcd members tolerates no more losses than one fewer."""
    count = len(cluster.control_planes)
    if count % 2 == 0:
        quorum = count // 2 + 1
        yield (
            f"nodes: {count} control planes need a quorum of {quorum} for etcd and survive the loss of "
            f"{count - quorum}, as {count - 1} would; use an odd number"
        )


def strict_is_an_old_word(cluster: Cluster) -> Iterator[str]:
    """Charts before 1.14 had four words for what is a boolean today."""
    if cluster.cilium.kube_proxy_replacement == "strict":
        yield "cilium.kubeProxyReplacement: strict is read as true, which is what today's charts call it"


def dots_in_expressions(cluster: Cluster) -> Iterator[str]:
    """In a regular expression a bare dot matches any character."""
    for index, expression in enumerate(cluster.load_balancer.interfaces or ()):
        if has_bare_dot(expression):
            repaired = expression.replace(".", r"\.")
            yield f"loadBalancer.interfaces.{index}: a dot matches any character; for a dot write {repaired}"


def announcing_everywhere(cluster: Cluster) -> Iterator[str]:
    """A policy without expressions takes every device of Cilium."""
    if cluster.load_balancer.interfaces == ():
        yield (
            "loadBalancer.interfaces: an empty list announces on every link of Cilium, "
            "WireGuard and second cards included; leave the key out for the link of the LAN"
        )


def many_lease_renewals(cluster: Cluster) -> Iterator[str]:
    """Fast failover of many Services costs requests."""
    balancer = cluster.load_balancer
    if balancer.lease_requests >= _MANY_RENEWALS:
        yield (
            f"loadBalancer.leases: one node may have to renew {balancer.lease_requests} leases per second "
            f"({balancer.expected_services} Services / renewDeadline), so Cilium is allowed "
            f"{balancer.client_rate_limit.qps} requests per second; a longer renewDeadline asks for fewer"
        )


def more_requests_than_expected(cluster: Cluster) -> Iterator[str]:
    """The expected number sizes the rate limit."""
    asked, expected = len(cluster.requested), cluster.load_balancer.expected_services
    if asked > expected:
        yield f"loadBalancer.expectedServices: {expected} is less than the {asked} addresses asked for"


def exhausted_pool(cluster: Cluster) -> Iterator[str]:
    """A Service that requests no address would stay pending."""
    balancer = cluster.load_balancer
    pool = balancer.cidr
    edges = not balancer.allow_first_last_ips and pool.prefixlen <= _SMALLEST_WITH_EDGES
    if len(of_services(balancer, cluster.ingress)) >= pool.num_addresses - 2 * edges:
        yield f"loadBalancer.cidr: {pool} has no address left for a Service that does not ask for one"


def static_addresses_from_dhcp(cluster: Cluster) -> Iterator[str]:
    """A static address inside the DHCP range needs a reservation."""
    dhcp = cluster.network.dhcp_range
    for claim in of_nodes(cluster.nodes):
        # The address in maintenance mode is meant to come from DHCP.
        static = not claim.path.endswith(".maintenanceAddress")
        if static and dhcp is not None and dhcp.start <= claim.address <= dhcp.stop:
            yield (
                f"{claim.path}: {claim.address} is inside network.dhcpRange; "
                "reserve it in the DHCP server, or another machine may get it"
            )


def endpoint_on_one_node(cluster: Cluster) -> Iterator[str]:
    """The API is gone with the node whose address it has."""
    for node in cluster.nodes:
        if cluster.endpoint.host == str(node.address) and len(cluster.control_planes) > 1:
            yield (
                f"endpoint.host: {node.address} is node {node.name}: the API is gone when that node is; "
                "use a vip, or a load balancer"
            )


def unused_ingress_address(cluster: Cluster) -> Iterator[str]:
    """Without a controller the address is an ordinary one."""
    if cluster.ingress.controller == "none" and cluster.ingress.address is not None:
        yield "ingress.address: not reserved, because ingress.controller is none"


def nginx_is_archived(cluster: Cluster) -> Iterator[str]:
    """It is no longer maintained; the images are still available."""
    if cluster.ingress.controller == "nginx":
        yield (
            "ingress.controller: upstream archived Ingress Nginx in March 2026, it gets no security fixes; "
            "gateway gives the same address to a Gateway of Cilium (docs/ingress.md)"
        )


def gateway_api_needs_its_kinds(cluster: Cluster) -> Iterator[str]:
    """Cilium does not install them, and its operator looks for them only when it starts."""
    if cluster.cilium.gateway_api.enabled:
        wanted = GATEWAY_API[minor(cluster.versions.cilium)]
        yield (
            f"cilium.gatewayApi.enabled: the CRDs of the Gateway API {wanted} must exist before Cilium is "
            "released, see docs/ingress.md; the program waits for them"
        )


def pool_edits_that_move_addresses(cluster: Cluster) -> Iterator[str]:
    """Until 1.18.2 a Service could get another address when a range of its pool changed (cilium#40358)."""
    if (1, 18) <= release(cluster.versions.cilium) < (1, 18, 2):
        yield "versions.cilium: before 1.18.2 a change of a pool may move addresses of Services; use 1.18.2"


def secrets_in_plain_text(cluster: Cluster) -> Iterator[str]:
    """Registry passwords, WireGuard keys and passphrases of disks stand where every preview shows them."""
    patches = (*placed(cluster.talos), *placed_at_nodes(cluster.nodes))
    for path, tree in (*patches, ("cilium.values", cluster.cilium.values)):
        for place, value in entries(tree):
            if place and place[-1] in _SECRET_KEYS and isinstance(value, str) and value:
                where = ".".join(map(str, (path, *place)))
                # As a fault, because keys of a patch may hold characters that break the line.
                yield str(Fault(where, "is a secret in plain text, which every preview and the state show"))


def destroy_wipes_nodes(cluster: Cluster) -> Iterator[str]:
    """The one switch that loses data."""
    if cluster.talos.reset_on_destroy:
        yield "talos.resetOnDestroy: `pulumi destroy` will wipe every node of this stack"


CHECKS: tuple[Callable[[Cluster], Iterator[str]], ...] = (
    even_control_planes,
    strict_is_an_old_word,
    dots_in_expressions,
    announcing_everywhere,
    many_lease_renewals,
    more_requests_than_expected,
    exhausted_pool,
    static_addresses_from_dhcp,
    endpoint_on_one_node,
    unused_ingress_address,
    nginx_is_archived,
    gateway_api_needs_its_kinds,
    pool_edits_that_move_addresses,
    secrets_in_plain_text,
    destroy_wipes_nodes,
)
