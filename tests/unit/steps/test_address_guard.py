"""The guard of the pools: what keeps an address, what would take it away, and what acknowledges that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients.errors import OperationError
from steps.address_guard import addresses_kept, code_for, find_moves, parse_spans
from tests.unit.clients.kubernetes.test_api import api, kubeconfig
from tests.unit.steps.steps_job import Bench

if TYPE_CHECKING:
    from tests.unit.steps.steps_servers import ApiServer

__all__ = ["api"]  # a fixture

INGRESS, OTHER = "ingress-nginx/controller", "demo/whoami"
POOLS = "/apis/cilium.io/v2/ciliumloadbalancerippools"
GENERAL = "homelab: 10.0.50.201-10.0.50.207"
RESERVED = f"controller.ingress-nginx: 10.0.50.200-10.0.50.200 for {INGRESS}"
INGRESS_POOL = "controller.ingress-nginx"
ANOTHER = "and may become another one"
WANTED = f"{GENERAL}\n{RESERVED}"


def service(key: str, *ips: str) -> dict[str, Any]:
    namespace, name = key.split("/")
    ingress = [{"ip": ip} for ip in ips]
    return {
        "metadata": {"namespace": namespace, "name": name},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def pool(name: str, *blocks: dict[str, str], manager: str = "pulumi-kubernetes-1a2b") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "managedFields": [{"manager": manager}]},
        "spec": {"blocks": list(blocks)},
    }


def block(start: str, stop: str) -> dict[str, str]:
    return {"start": f"10.0.50.{start}", "stop": f"10.0.50.{stop}"}


LIVE = [pool("homelab", block("201", "207")), pool("controller.ingress-nginx", block("200", "200"))]
HELD = [service(INGRESS, "10.0.50.200"), service(OTHER, "10.0.50.203")]


def moves(wanted: str, requests: dict[str, str] | None = None, **seen: Any) -> list[str]:  # noqa: ANN401
    found = find_moves(
        seen.get("services", HELD), seen.get("pools", LIVE), parse_spans(wanted), requests or {}
    )
    return [str(move).strip() for move in found]


@pytest.mark.parametrize(
    "wanted",
    [
        WANTED,
        f"homelab: 10.0.50.201-10.0.50.220\n{RESERVED}",
        f"homelab: 10.0.50.203-10.0.50.203\n{RESERVED}",
        f"homelab: 10.0.50.201-10.0.50.206\n{RESERVED}\nx.y: 10.0.50.207-10.0.50.207 for y/x",
    ],
)
def test_nothing_moves_while_each_address_stays_in_its_pool(wanted: str) -> None:
    """More addresses, fewer free ones, and reservations of free ones."""
    assert moves(wanted, {INGRESS: "10.0.50.200"}) == []


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        (
            f"homelab: 10.0.50.204-10.0.50.207\n{RESERVED}",
            f"{OTHER} would lose 10.0.50.203: no pool has it any more",
        ),
        (
            f"{WANTED}\nx.y: 10.0.50.203-10.0.50.203 for y/x".replace("201-10.0.50.207", "204-10.0.50.207"),
            f"{OTHER} would lose 10.0.50.203: it will be reserved for y/x",
        ),
        (
            f"renamed: 10.0.50.201-10.0.50.207\n{RESERVED}",
            f"{OTHER} would lose 10.0.50.203: it leaves pool homelab before pool renamed has it, {ANOTHER}",
        ),
        (
            "homelab: 10.0.50.200-10.0.50.207",
            f"{INGRESS} would lose 10.0.50.200: it leaves pool {INGRESS_POOL} before pool homelab has it, "
            + ANOTHER,
        ),
        (
            f"{GENERAL}\nother.ingress-nginx: 10.0.50.200-10.0.50.200 for ingress-nginx/other",
            f"{INGRESS} would lose 10.0.50.200: it will be reserved for ingress-nginx/other",
        ),
    ],
)
def test_an_address_in_use_that_would_move_is_named(wanted: str, line: str) -> None:
    """A pool shrunk, renamed, or its Service changed."""
    assert moves(wanted) == [line]


def test_a_new_request_of_the_programs_own_service_is_a_move() -> None:
    wanted = (
        "homelab: 10.0.50.202-10.0.50.207\n"
        f"controller.ingress-nginx: 10.0.50.201-10.0.50.201 for {INGRESS}\nhomelab: 10.0.50.200-10.0.50.200"
    )
    assert moves(wanted, {INGRESS: "10.0.50.201"}) == [
        f"{INGRESS} would lose 10.0.50.200: it will ask for 10.0.50.201"
    ]


def test_pools_and_addresses_of_others_are_not_judged() -> None:
    """Pools that neither this program nor its config knows, addresses of another kind, IPv6."""
    services = [
        service("a/foreign", "10.0.60.1"),
        service("a/v6", "fd00::1"),
        service("a/host", ""),
        service("a/none"),
    ]
    pools = [*LIVE, pool("theirs", {"cidr": "10.0.60.0/24"}, {"cidr": "fd00::/64"}, manager="kubectl")]
    assert moves(WANTED, services=services, pools=pools) == []


def test_every_way_of_writing_a_block_is_understood() -> None:
    """Cilium takes host bits, and a start without a stop."""
    pools = [pool("homelab", {"cidr": "10.0.50.203/31"}, {"start": "10.0.50.205"}, {"cidr": "fd00::/64"})]
    services = [service("a/b", "10.0.50.202"), service("a/c", "10.0.50.205"), service("a/d", "10.0.50.206")]
    assert [line.split(":")[0] for line in moves(RESERVED, services=services, pools=pools)] == [
        "a/b would lose 10.0.50.202",
        "a/c would lose 10.0.50.205",
    ]


def test_a_pool_that_flux_applied_is_judged_by_its_name() -> None:
    pools = [pool("homelab", block("201", "207"), manager="kustomize-controller")]
    assert len(moves("homelab: 10.0.50.204-10.0.50.207", pools=pools)) == 1


def test_a_line_that_is_no_pool() -> None:
    with pytest.raises(OperationError, match="POOLS has a line that is no pool: 'homelab: x'"):
        parse_spans("homelab: x")


def bench(api: ApiServer, **environment: str) -> Bench:
    api.put("/api/v1/services", {"items": HELD})
    return Bench(environment, {"kubeconfig": kubeconfig(api.port)}, limit=5)


def test_a_fresh_cluster_has_nothing_to_lose(api: ApiServer) -> None:
    made = bench(api, POOLS=WANTED)
    api.put("/api/v1/services", {"items": []})
    assert addresses_kept(made.job) == "addresses in use are kept"


SHRUNK = f"homelab: 10.0.50.204-10.0.50.207\n{RESERVED}"


def test_the_refusal_names_the_service_and_the_word(api: ApiServer) -> None:
    api.put(POOLS, {"items": LIVE})
    word = code_for(find_moves(HELD, LIVE, parse_spans(SHRUNK), {}))
    with pytest.raises(OperationError) as caught:
        addresses_kept(bench(api, POOLS=SHRUNK, REQUESTS=f"{INGRESS}=10.0.50.200").job)
    assert str(caught.value) == (
        "this change takes addresses away from Services that use them; no pool has been changed:\n"
        f"  {OTHER} would lose 10.0.50.203: no pool has it any more\n"
        f"check: the stack config; if this is meant, set loadBalancer.acknowledge: '{word}'"
    )


def test_the_word_allows_these_moves_and_no_others(api: ApiServer) -> None:
    api.put(POOLS, {"items": LIVE})
    word = code_for(find_moves(HELD, LIVE, parse_spans(SHRUNK), {}))
    made = bench(api, POOLS=SHRUNK, ACKNOWLEDGE=word)
    assert addresses_kept(made.job) == "addresses in use are kept"
    assert made.said == [f"acknowledged:  {OTHER} would lose 10.0.50.203: no pool has it any more"]
    with pytest.raises(OperationError) as caught:
        addresses_kept(bench(api, POOLS="homelab: 10.0.50.207-10.0.50.207", ACKNOWLEDGE=word).job)
    assert f"(it is {word}, which was for other moves)" in str(caught.value)
