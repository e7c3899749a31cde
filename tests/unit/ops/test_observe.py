"""What is asked of a cluster, and what is made of silence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered
from clients.talos.process import Result
from ops import observe
from ops.facts import EtcdView
from tests.unit.ops.ops_objects import (
    APPS,
    CUSTOM,
    INGRESS,
    KUBE_SYSTEM,
    FakeKube,
    condition,
    daemonset,
    healthy,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients.talos.process import Listener
    from clients.talos.talosctl import Invocation
    from model import Cluster

LINKS = [{"metadata": {"id": "vlan50"}, "spec": {"operationalState": "up"}}]
MEMBER_IDS = {"11": "a1", "12": "a2", "13": "a3"}
MEMBERS = """\
NODE         ID   HOSTNAME   PEER URLS   CLIENT URLS   LEARNER
127.0.10.11  a1   cp1        https://x   https://x     false
127.0.10.11  a2   cp2        https://x   https://x     false
127.0.10.11  a3   cp3        https://x   https://x     false
"""
ADDRESSES = [{"metadata": {"id": "a"}, "spec": {"address": "10.0.50.21/24", "linkName": "vlan50"}}]


def test_a_healthy_cluster() -> None:
    seen = observe.gather(FakeKube(healthy()))
    assert [service.key for service in seen.services] == [INGRESS]
    assert seen.services[0].backend_nodes == {"w1"}
    assert seen.leases[INGRESS].holder == "w1"
    assert seen.leases[INGRESS].lacks == ""
    assert (seen.agent_lacks, seen.operator_lacks, seen.kube_proxy) == ("", "", ())
    assert seen.service("ingress-nginx", "nobody") is None


def test_a_cluster_without_cilium() -> None:
    answers = {path: value for path, value in healthy().items() if CUSTOM not in path}
    for path in (f"{APPS}/daemonsets/cilium", f"{KUBE_SYSTEM}/configmaps/cilium-config"):
        del answers[path]
    answers[f"{KUBE_SYSTEM}/pods?labelSelector=k8s-app%3Dcilium"] = []
    seen = observe.gather(FakeKube(answers))
    assert seen.agent_lacks == "DaemonSet cilium does not exist"
    assert (seen.pools, seen.policies, dict(seen.settings), seen.agents) == ((), (), {}, frozenset())


def test_pods_say_why_the_agent_is_not_ready() -> None:
    answers = healthy()
    answers[f"{APPS}/daemonsets/cilium"] = daemonset(5, ready=4)
    broken = {
        "metadata": {"name": "cilium-a"},
        "spec": {"nodeName": "w1"},
        "status": {"phase": "Pending", "conditions": [condition("Ready", "False")]},
    }
    answers[f"{KUBE_SYSTEM}/pods?labelSelector=k8s-app%3Dcilium"] = [broken]
    assert observe.gather(FakeKube(answers)).agent_lacks == (
        "DaemonSet cilium is ready on 4 of 5 nodes; cilium-a on w1: Pending"
    )


def test_kube_proxy_is_found_as_daemonset_and_as_pod() -> None:
    answers = healthy()
    proxy = {"metadata": {"name": "kube-proxy"}}
    answers[f"{APPS}/daemonsets"] = [proxy]
    answers[f"{KUBE_SYSTEM}/pods"] = [
        {"metadata": {"name": "kube-proxy-x1"}},
        {"metadata": {"name": "coredns"}},
    ]
    assert observe.gather(FakeKube(answers)).kube_proxy == ("DaemonSet kube-proxy", "Pod kube-proxy-x1")


def test_pools_of_an_older_cilium_and_a_service_without_an_address() -> None:
    answers = healthy()
    answers[f"{CUSTOM}/v2alpha1/ciliumloadbalancerippools"] = answers.pop(
        f"{CUSTOM}/v2/ciliumloadbalancerippools"
    )
    services = answers["/api/v1/services"]
    assert isinstance(services, list)
    services[0]["status"] = {}
    seen = observe.gather(FakeKube(answers))
    assert [pool.name for pool in seen.pools] == ["homelab", "ingress-nginx-controller.ingress-nginx"]
    assert dict(seen.leases) == {}


def test_an_api_server_that_refuses() -> None:
    with pytest.raises(Unanswered, match=r"/api/v1/nodes does not exist \(404\)"):
        observe.gather(FakeKube({}))


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """The lab's config."""
    return make_cluster({})


def answering(invocation: Invocation, _limit: float, _listener: Listener | None = None, /) -> Result:
    if "etcd" in invocation.argv:
        return Result(0, MEMBERS, "")
    if "etcdmember" in invocation.argv:
        address = next(word for word in invocation.argv if str(word).startswith("--nodes="))
        return Result(0, json.dumps({"spec": {"memberID": MEMBER_IDS[str(address)[-2:]]}}), "")
    items = LINKS if "links" in invocation.argv else ADDRESSES
    return Result(0, "\n".join(json.dumps(item) for item in items), "")


def test_links_of_every_node(cluster: Cluster) -> None:
    found, unknown = observe.links(cluster.announcing_nodes, "talosconfig", answering)
    assert unknown == ""
    assert {name: [str(link.addresses[0]) for link in links] for name, links in found.items()} == {
        "w1": ["10.0.50.21/24"],
        "w2": ["10.0.50.21/24"],
    }


def test_nodes_that_do_not_answer_are_named(cluster: Cluster) -> None:
    def half(invocation: Invocation, limit: float, _listener: Listener | None = None, /) -> Result:
        if "--nodes=127.0.10.21" in invocation.argv:
            return Result(1, "", "rpc error: code = Unavailable desc = connection refused")
        return answering(invocation, limit)

    found, unknown = observe.links(cluster.announcing_nodes, "talosconfig", half)
    assert list(found) == ["w2"]
    assert unknown == "w1: Unavailable: connection refused"


def test_an_answer_that_is_no_json(cluster: Cluster) -> None:
    _, unknown = observe.links(cluster.announcing_nodes[:1], "x", lambda *_: Result(0, "no", ""))
    assert unknown == "w1: links answered something that is no JSON"


def test_etcd_members_of_the_control_planes(cluster: Cluster) -> None:
    view = observe.etcd(cluster.control_planes, "talosconfig", answering)
    assert view == EtcdView({"cp1": "a1", "cp2": "a2", "cp3": "a3"}, frozenset({"a1", "a2", "a3"}), "")


def test_a_control_plane_that_is_no_member(cluster: Cluster) -> None:
    def half(invocation: Invocation, limit: float, _listener: Listener | None = None, /) -> Result:
        if "etcdmember" in invocation.argv and "--nodes=127.0.10.11" in invocation.argv:
            return Result(0, "", "")
        return answering(invocation, limit)

    assert observe.etcd(cluster.control_planes, "talosconfig", half).members["cp1"] == ""


@pytest.mark.parametrize(("verb", "unknown"), [("etcdmember", "cp1: no answer"), ("etcd", "cp1: no answer")])
def test_etcd_that_cannot_be_asked(cluster: Cluster, verb: str, unknown: str) -> None:
    def silent(invocation: Invocation, limit: float, _listener: Listener | None = None, /) -> Result:
        return Result(1, "", "no answer") if verb in invocation.argv else answering(invocation, limit)

    assert observe.etcd(cluster.control_planes, "talosconfig", silent).unknown == unknown


def test_a_table_of_members_that_is_not_understood(cluster: Cluster) -> None:
    def odd(invocation: Invocation, limit: float, _listener: Listener | None = None, /) -> Result:
        return Result(0, "", "") if "etcd" in invocation.argv else answering(invocation, limit)

    assert observe.etcd(cluster.control_planes, "talosconfig", odd).unknown.startswith("cp1: exit status 0")


def test_without_talosctl_the_reason_is_said_once(cluster: Cluster) -> None:
    def missing(*_: object) -> Result:
        raise OperationError("talosctl is not on PATH", "install it")

    assert observe.links(cluster.announcing_nodes, "x", missing) == ({}, "talosctl is not on PATH")


def test_agents_are_absent_only_if_their_pods_are_ready() -> None:
    seen = observe.gather(FakeKube(healthy()))
    assert seen.agents_absent == ""
    lab = replace(seen, agents=frozenset())
    assert lab.agents_absent.startswith("no Cilium agent really runs here")
    assert replace(lab, agent_lacks="ready on 4 of 5 nodes").agents_absent == ""
