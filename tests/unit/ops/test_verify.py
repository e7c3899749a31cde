"""The whole table of `ops verify`, and what needs to be there before it can be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ops import lan_probe, verify
from ops.sources import CannotCheckError, Credentials
from ops.table import Row, Verdict, passed
from ops.verify import Scope
from tests.unit.ops.ops_objects import CUSTOM, INGRESS, FakeKube, healthy, service
from tests.unit.ops.test_observe import answering

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address, IPv4Network

    from clients.talos.process import Result
    from model import Cluster

BOTH = Credentials("kubeconfig", "talosconfig")


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """The lab's config."""
    return make_cluster({})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The answers of the API server, to be changed by a test."""
    answers = healthy()
    monkeypatch.setattr(verify, "open_patient", lambda _text: FakeKube(answers))
    return answers


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been sent to the LAN."""
    sent: list[str] = []

    def arp(address: IPv4Address, lan: IPv4Network) -> Row:
        sent.append(f"arp {address} in {lan}")
        return passed("arp", "")

    def tcp(address: IPv4Address, port: int) -> Row:
        sent.append(f"tcp {address}:{port}")
        return passed("tcp", "")

    def web(address: IPv4Address) -> Row:
        sent.append(f"http {address}")
        return passed("http", "")

    for name, function in (("arp", arp), ("tcp", tcp), ("web", web)):
        monkeypatch.setattr(lan_probe, name, function)
    return sent


def last(rows: list[Row]) -> Row:
    return rows[-1]


def test_nothing_is_opened_unless_asked_for(
    cluster: Cluster, api: dict[str, object], probes: list[str]
) -> None:
    rows = verify.verify(cluster, BOTH, answering, Scope())
    assert probes == []
    assert last(rows).verdict is Verdict.NOT_APPLICABLE
    assert last(rows).evidence == "not asked for (--probe opens connections)"
    assert [row.check for row in rows if row.verdict is Verdict.FAIL] == []


def test_an_address_is_opened_on_each_tcp_port(
    cluster: Cluster, api: dict[str, object], probes: list[str]
) -> None:
    ports = [{"port": 443}, {"port": 80}, {"port": 53, "protocol": "UDP"}]
    api["/api/v1/services"] = [service(INGRESS, "10.0.50.200", ports=ports)]
    verify.verify(cluster, BOTH, answering, Scope(probe=True))
    vip = "10.0.50.200"
    assert probes == [f"arp {vip} in 10.0.50.0/24", f"tcp {vip}:80", f"tcp {vip}:443", f"http {vip}"]


def test_an_address_without_web_is_not_asked_for_a_page(
    cluster: Cluster, api: dict[str, object], probes: list[str]
) -> None:
    api["/api/v1/services"] = [service(INGRESS, "10.0.50.200", ports=[{"port": 22}])]
    verify.verify(cluster, BOTH, answering, Scope(probe=True))
    assert probes == ["arp 10.0.50.200 in 10.0.50.0/24", "tcp 10.0.50.200:22"]


@pytest.mark.parametrize("services", [[], [service(INGRESS, ports=[{"port": 53, "protocol": "UDP"}])]])
def test_there_is_nothing_to_open(
    cluster: Cluster, api: dict[str, object], probes: list[str], services: list[object]
) -> None:
    api["/api/v1/services"] = services
    rows = verify.verify(cluster, BOTH, answering, Scope(probe=True))
    assert (probes, last(rows).evidence) == ([], "its Service has no TCP port, or does not exist")


def test_simulated_agents_answer_nothing(cluster: Cluster, api: dict[str, object], probes: list[str]) -> None:
    api[f"{CUSTOM}/v2/ciliumnodes"] = []
    rows = verify.verify(cluster, BOTH, answering, Scope(probe=True))
    assert probes == []
    assert last(rows).evidence.startswith("no Cilium agent really runs here")


def test_without_a_talosconfig_nodes_are_not_asked(
    cluster: Cluster, api: dict[str, object], probes: list[str]
) -> None:
    def never(*_: object) -> Result:
        raise AssertionError("talosctl was run")

    seen = verify.look(cluster, Credentials("kubeconfig"), never)
    assert (dict(seen.links), seen.links_unknown) == ({}, "")


def test_without_a_kubeconfig_nothing_can_be_checked(cluster: Cluster) -> None:
    with pytest.raises(CannotCheckError, match="there is no kubeconfig: the stack has no such output yet"):
        verify.look(cluster, Credentials(), answering)


def test_a_kubeconfig_that_cannot_be_used(cluster: Cluster) -> None:
    with pytest.raises(CannotCheckError, match="the Kubernetes API cannot be asked: the kubeconfig cannot"):
        verify.look(cluster, Credentials("server: x"), answering)


def test_an_api_server_that_says_no(cluster: Cluster, api: dict[str, object]) -> None:
    api.clear()
    with pytest.raises(CannotCheckError, match="the Kubernetes API cannot be asked: /api/v1/nodes does not"):
        verify.look(cluster, BOTH, answering)
