"""Each check of `ops verify`: what it says when it passes, fails, or cannot be asked."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING, Any

import pytest

from model.versions import KUBERNETES, TALOS
from ops import facts, table, verify_checks
from ops.facts import Block, EtcdView, KubernetesNode, Lease, Link, Seen, Selector
from ops.observe import gather
from ops.table import Row, Verdict
from tests.unit.ops.ops_objects import FakeKube, healthy

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Cluster

VLAN = Link("vlan50", (IPv4Interface("10.0.50.21/24"),))
POLICY = "L2 announcement policy"
TRUE = "ConfigMap cilium-config has kube-proxy-replacement=true"
ASSIGNED, ANNOUNCED = "10.0.50.200 assigned", "10.0.50.200 announced"
RESERVED = "pool ingress-nginx-controller.ingress-nginx"


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """The lab's config."""
    return make_cluster({})


@pytest.fixture
def seen() -> Seen:
    """A healthy cluster whose announcing nodes were asked for their links."""
    etcd = EtcdView({"cp1": "a", "cp2": "b", "cp3": "c"}, frozenset("abc"), unknown="")
    return replace(gather(FakeKube(healthy())), links={"w1": (VLAN,), "w2": (VLAN,)}, etcd=etcd)


def row(cluster: Cluster, seen: Seen, check: str) -> Row:
    found = [row for row in verify_checks.rows(cluster, seen) if row.check == check]
    assert len(found) == 1, [row.check for row in verify_checks.rows(cluster, seen)]
    return found[0]


def test_a_healthy_cluster_passes_every_check(cluster: Cluster, seen: Seen) -> None:
    assert [(row.check, row.verdict.value, row.evidence) for row in verify_checks.rows(cluster, seen)] == [
        (
            "Kubernetes API at the endpoint",
            "pass",
            "127.0.10.10:6443 answers: the VIP, which a control plane holds",
        ),
        ("nodes Ready", "pass", "5 of 5"),
        ("no other nodes", "pass", "every Node is one of the config"),
        (f"Talos {TALOS}", "pass", "on 5 of 5 nodes"),
        (f"Kubernetes {KUBERNETES}", "pass", "on 5 of 5 nodes"),
        ("etcd members", "pass", "3 of 3, and no other"),
        ("kube-proxy absent", "pass", "no DaemonSet and no pod of that name in kube-system"),
        ("Cilium agent rolled out", "pass", "DaemonSet cilium is ready on 5 of 5 nodes"),
        ("Cilium operator available", "pass", "Deployment cilium-operator is available"),
        (
            "kube-proxy replacement on",
            "pass",
            f"{TRUE}, and 5 agents started with it (one that cannot replace it does not)",
        ),
        ("pool homelab", "pass", "no conflict, 10.0.50.201 to 10.0.50.207, 7 free"),
        (RESERVED, "pass", "no conflict, 10.0.50.200, 0 free"),
        (POLICY, "pass", "homelab selects w1, w2; links ^vlan50$"),
        (ASSIGNED, "pass", "Service ingress-nginx/ingress-nginx-controller holds it"),
        (ANNOUNCED, "pass", "w1 holds the lease and answers ARP for it"),
        ("w1 sits in 10.0.50.0/24", "pass", "vlan50 has 10.0.50.21/24"),
        ("w2 sits in 10.0.50.0/24", "pass", "vlan50 has 10.0.50.21/24"),
    ]


def test_a_node_that_is_not_ready_or_not_there(cluster: Cluster, seen: Seen) -> None:
    nodes = (replace(seen.nodes[0], ready=False), *seen.nodes[1:4])
    assert row(cluster, replace(seen, nodes=nodes), "nodes Ready").evidence == (
        "not Ready or not there: cp1, w2"
    )


def test_a_cluster_of_other_versions_and_with_other_nodes_does_not_pass(
    make_cluster: Callable[..., Cluster], seen: Seen
) -> None:
    """Two nodes of the config missing, two others there, and neither release is that of the config."""
    versions = {"talos": "v1.13.2", "kubernetes": "v1.36.1"}
    others = tuple(replace(node, name=name) for node, name in zip(seen.nodes[3:], ("w8", "w9"), strict=True))
    strange = replace(others[1], talos="", kubernetes="v1.35.0")
    found = verify_checks.rows(
        make_cluster({"versions": versions}), replace(seen, nodes=(*seen.nodes[:3], others[0], strange))
    )
    assert {row.check: row.evidence for row in found if row.verdict is Verdict.FAIL} == {
        "nodes Ready": "not Ready or not there: w1, w2",
        "no other nodes": "not in the config: w8, w9",
        "Talos v1.13.2": f"cp1 runs {TALOS}, cp2 runs {TALOS}, cp3 runs {TALOS}, w8 runs {TALOS}, "
        "w9 runs another system",
        "Kubernetes v1.36.1": f"cp1 runs {KUBERNETES}, cp2 runs {KUBERNETES}, cp3 runs {KUBERNETES}, "
        f"w8 runs {KUBERNETES}, w9 runs v1.35.0",
    }


def test_another_endpoint_than_that_of_the_config(make_cluster: Callable[..., Cluster], seen: Seen) -> None:
    given = make_cluster({"endpoint": {"vip": None, "host": "127.0.10.11"}})
    assert row(
        given, replace(seen, server="127.0.10.11:6443"), "Kubernetes API at the endpoint"
    ).evidence == ("127.0.10.11:6443 answers: the endpoint of the config")
    assert row(given, seen, "Kubernetes API at the endpoint").evidence == (
        "the kubeconfig is for 127.0.10.10:6443, the config says 127.0.10.11:6443"
    )


@pytest.mark.parametrize(
    ("view", "verdict", "evidence"),
    [
        (EtcdView(), "n/a", "no talosconfig was given, so Talos cannot be asked"),
        (
            EtcdView({"cp1": "a", "cp2": "", "cp3": "c"}, frozenset("ac"), ""),
            "fail",
            "no healthy member: cp2",
        ),
        (
            EtcdView({"cp1": "a", "cp2": "b", "cp3": "c"}, frozenset("abcd"), ""),
            "fail",
            "members that are no control plane of the config: d",
        ),
    ],
)
def test_etcd_has_the_control_planes_as_its_members(
    cluster: Cluster, seen: Seen, view: EtcdView, verdict: str, evidence: str
) -> None:
    found = row(cluster, replace(seen, etcd=view), "etcd members")
    assert (found.verdict.value, found.evidence) == (verdict, evidence)


def test_kube_proxy_is_named(cluster: Cluster, seen: Seen) -> None:
    found = row(cluster, replace(seen, kube_proxy=("DaemonSet kube-proxy",)), "kube-proxy absent")
    assert (found.verdict, found.evidence) == (Verdict.FAIL, "still there: DaemonSet kube-proxy")


def test_a_rollout_that_is_not_complete(cluster: Cluster, seen: Seen) -> None:
    lacking = replace(
        seen, agent_lacks="ready on 4 of 5", operator_lacks="0 of 2 replicas", agents=frozenset()
    )
    assert row(cluster, lacking, "Cilium agent rolled out").evidence == "ready on 4 of 5"
    assert row(cluster, lacking, "Cilium operator available").evidence == "0 of 2 replicas"
    assert row(cluster, lacking, "kube-proxy replacement on").evidence == (TRUE)
    assert row(cluster, lacking, ANNOUNCED).verdict is Verdict.PASS  # the lease is there all the same


@pytest.mark.parametrize(
    ("settings", "evidence"),
    [
        ({}, "ConfigMap cilium-config has no kube-proxy-replacement"),
        (
            {"kube-proxy-replacement": "false"},
            "ConfigMap cilium-config has kube-proxy-replacement='false'",
        ),
    ],
)
def test_kube_proxy_is_not_replaced(
    cluster: Cluster, seen: Seen, settings: dict[str, str], evidence: str
) -> None:
    found = row(cluster, replace(seen, settings=settings), "kube-proxy replacement on")
    assert (found.verdict, found.evidence) == (Verdict.FAIL, evidence)


def test_where_agents_are_simulated_nothing_is_claimed_about_the_lan(cluster: Cluster, seen: Seen) -> None:
    lab = replace(seen, agents=frozenset(), leases={})
    assert row(cluster, lab, "Cilium agent rolled out").evidence.endswith("; the pods are simulated")
    found = row(cluster, lab, ANNOUNCED)
    assert found.verdict is Verdict.NOT_APPLICABLE
    assert found.evidence == (
        "no Cilium agent really runs here (its pods are ready, but none has registered a CiliumNode), "
        "so nobody takes a lease"
    )


def test_a_pool_is_missing(make_cluster: Callable[..., Cluster], seen: Seen) -> None:
    without = replace(seen, pools=())
    found = row(make_cluster({}), without, "pool homelab")
    assert (found.evidence, found.advice) == ("does not exist", "it is created by `pulumi up`")
    of_flux = make_cluster({"loadBalancer": {"owner": "flux"}})
    assert row(of_flux, without, "pool homelab").advice.startswith("it is created by Flux")


@pytest.mark.parametrize("change", [{"blocks": ()}, {"disabled": True}])
def test_a_pool_is_not_that_of_the_config(cluster: Cluster, seen: Seen, change: dict[str, Any]) -> None:
    pools = (replace(seen.pools[0], **change), seen.pools[1])
    assert row(cluster, replace(seen, pools=pools), "pool homelab").evidence == (
        "has other addresses than the config, or is disabled"
    )


def test_a_pool_in_conflict_and_a_stranger(cluster: Cluster, seen: Seen) -> None:
    pools = (
        replace(seen.pools[0], lacks="pool homelab is in conflict: with x", available=None),
        replace(seen.pools[1], available=None),
        replace(seen.pools[1], name="x"),
    )
    found = replace(seen, pools=pools)
    assert row(cluster, found, "pool homelab").evidence == "pool homelab is in conflict: with x"
    assert row(cluster, found, RESERVED).evidence == "no conflict, 10.0.50.200"
    assert row(cluster, found, "pool x").evidence == "not of this config, no conflict"


def test_the_policy_is_missing(cluster: Cluster, seen: Seen) -> None:
    assert row(cluster, replace(seen, policies=()), POLICY).evidence == "homelab does not exist"


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        ({"faults": ("bad-interface-regex: x",)}, "bad-interface-regex: x"),
        ({"load_balancer_ips": False}, "homelab has no loadBalancerIPs: true"),
    ],
)
def test_the_policy_does_not_announce(
    cluster: Cluster, seen: Seen, change: dict[str, Any], evidence: str
) -> None:
    policies = (replace(seen.policies[0], **change),)
    assert row(cluster, replace(seen, policies=policies), POLICY).evidence == evidence


def test_the_policy_selects_no_node(cluster: Cluster, seen: Seen) -> None:
    nodes = tuple(KubernetesNode(node.name, seen.nodes[0].labels) for node in seen.nodes)
    assert row(cluster, replace(seen, nodes=nodes), POLICY).evidence == (
        "homelab selects no node (node-role.kubernetes.io/control-plane DoesNotExist)"
    )


def test_a_policy_without_a_filter_announces_on_all_links(cluster: Cluster, seen: Seen) -> None:
    policies = (replace(seen.policies[0], interfaces=(), nodes=Selector()),)
    assert row(cluster, replace(seen, policies=policies), POLICY).evidence == (
        "homelab selects cp1, cp2, cp3, w1, w2; links all"
    )


def test_the_service_is_missing(cluster: Cluster, seen: Seen) -> None:
    without = replace(seen, services=())
    assert row(cluster, without, ASSIGNED).evidence == (
        "Service ingress-nginx/ingress-nginx-controller does not exist as a LoadBalancer"
    )


def test_another_service_holds_the_address(cluster: Cluster, seen: Seen) -> None:
    ingress = seen.services[0]
    waiting = replace(ingress, addresses=(), reason="already_allocated")
    thief = replace(ingress, namespace="default", name="thief")
    assert row(cluster, replace(seen, services=(waiting, thief)), ASSIGNED).evidence == (
        "Service ingress-nginx/ingress-nginx-controller holds no address (already_allocated); "
        "default/thief holds it"
    )


def test_a_shared_address_and_one_held_instead(cluster: Cluster, seen: Seen) -> None:
    ingress = seen.services[0]
    sharer = replace(ingress, namespace="default", name="dns")
    assert row(cluster, replace(seen, services=(ingress, sharer)), ASSIGNED).evidence.endswith(
        "holds it, shared with default/dns"
    )
    other = replace(ingress, addresses=(IPv4Address("10.0.50.203"),))
    assert row(cluster, replace(seen, services=(other,)), ASSIGNED).evidence.endswith("holds 10.0.50.203")


def test_the_lease(cluster: Cluster, seen: Seen) -> None:
    key = seen.services[0].key
    assert row(cluster, replace(seen, leases={}), ANNOUNCED).evidence == (
        "the Service holds no address, so there is nothing to announce"
    )
    stale = replace(seen, leases={key: Lease("w1", "lease x has no holder")})
    assert row(cluster, stale, ANNOUNCED).evidence == "lease x has no holder"
    wrong = replace(seen, leases={key: Lease("cp1")})
    assert row(cluster, wrong, ANNOUNCED).evidence == ("cp1 holds the lease, but the config selects w1, w2")


def test_a_node_outside_the_lan(cluster: Cluster, seen: Seen) -> None:
    check = "w1 sits in 10.0.50.0/24"

    def with_links(*links: Link) -> Row:
        return row(cluster, replace(seen, links={"w1": links}), check)

    assert with_links(Link("eno1"), Link("vlan50")).evidence == (
        "no link has an address there; links: eno1, vlan50"
    )
    assert with_links(replace(VLAN, name="eno2")).evidence == (
        "eno2 has 10.0.50.21/24, which no interface of the policy matches"
    )
    assert with_links(replace(VLAN, up=False)).evidence == "vlan50 is down"


def test_nodes_that_were_not_asked(cluster: Cluster, seen: Seen) -> None:
    check = "w1 sits in 10.0.50.0/24"
    assert row(cluster, replace(seen, links={}), check).evidence == (
        "no talosconfig was given, so Talos cannot be asked"
    )
    silent = replace(seen, links={}, links_unknown="talosctl is not on PATH")
    assert row(cluster, silent, check).evidence == "talosctl is not on PATH"


def test_long_lists_are_cut() -> None:
    assert table.some([str(n) for n in range(10)]) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"


def test_expressions_match_anywhere_unless_they_are_anchored() -> None:
    assert facts.matches(("eth1",), "eth10")
    assert not facts.matches(("^eth1$",), "eth10")
    assert facts.matches((), "eth10")


def test_a_block_of_one_address_is_shown_as_one() -> None:
    one = IPv4Address("10.0.50.200")
    assert (
        verify_checks.ranges((Block(one, one), Block(one, one + 1)))
        == "10.0.50.200, 10.0.50.200 to 10.0.50.201"
    )
