"""Gates of the load balancer, in the words of Cilium 1.20's operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients.cilium.lb_ipam import lease_lacks
from clients.errors import OperationError
from clients.kubernetes.api import Unanswered
from steps.load_balancer_gates import address_assigned, lease_held, pool_valid
from tests.unit.clients.kubernetes.test_api import api, kubeconfig
from tests.unit.steps.steps_job import Bench

if TYPE_CHECKING:
    from tests.unit.steps.steps_servers import ApiServer

__all__ = ["api"]  # a fixture

SERVICE = "ingress-nginx/ingress-nginx-controller"
SERVICE_PATH = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller"
LEASE_NAME = "cilium-l2announce-ingress-nginx-ingress-nginx-controller"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{{}}/leases/{LEASE_NAME}"
SATISFIED = (
    "it holds 10.0.50.201 instead; "
    "Cilium counts its request as satisfied: does the Service ask for 10.0.50.200?"
)
POOL = "/apis/cilium.io/{}/ciliumloadbalancerippools/{}"
NOW = "Mon, 23 Nov 2026 18:00:30 GMT"


def bench(api: ApiServer, **environment: str) -> Bench:
    return Bench(environment, {"kubeconfig": kubeconfig(api.port)}, limit=5)


def pool(generation: int = 1, observed: int | None = 1, conflict: str = "") -> dict[str, Any]:
    conditions = []
    if observed is not None:
        conditions.append({"type": "cilium.io/IPsTotal", "observedGeneration": observed, "message": "7"})
    if conflict:
        conditions.append({"type": "cilium.io/PoolConflict", "status": "True", "message": conflict})
    return {"metadata": {"generation": generation}, "status": {"conditions": conditions}}


def service(*ips: str, reason: str = "", status: str = "False", message: str = "") -> dict[str, Any]:
    said = {"type": "cilium.io/IPAMRequestSatisfied", "status": status, "reason": reason, "message": message}
    return {
        "metadata": {"namespace": "default", "name": "other"},
        "status": {
            "loadBalancer": {"ingress": [{"ip": ip} for ip in ips]},
            "conditions": [said] if reason else [],
        },
    }


@pytest.mark.parametrize("version", ["v2", "v2alpha1"])
def test_pools_are_valid_in_either_version(api: ApiServer, version: str) -> None:
    for name in ("ingress", "general"):
        api.put(POOL.format(version, name), pool())
    assert pool_valid(bench(api, POOLS="ingress general").job) == "pools valid: ingress general"


def test_pools_that_are_not(api: ApiServer) -> None:
    api.put(POOL.format("v2", "a"), pool(conflict="Pool conflict since range 'x' overlaps"))
    api.put(POOL.format("v2", "b"), pool(observed=None))
    api.put(POOL.format("v2", "c"), pool(generation=2))
    with pytest.raises(OperationError) as caught:
        pool_valid(bench(api, POOLS="a b c d").job)
    assert (
        "last answer: pool a is in conflict: Pool conflict since range 'x' overlaps; "
        "pool b has not been looked at by cilium-operator; pool c has not been looked at by cilium-operator; "
        "pool d does not exist\ncheck: `kubectl get ippools -o yaml`"
    ) in str(caught.value)


def of_pulumi(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "managedFields": [{"manager": "pulumi-kubernetes-1a2b"}]}}


@pytest.mark.parametrize(
    ("other", "leaves"),
    [
        (of_pulumi("old.dns"), True),
        ({"metadata": {"name": "old.dns", "managedFields": [{"manager": "kubectl"}]}}, False),
        ({"metadata": {"name": "old.dns"}}, False),
        (of_pulumi("another"), False),
    ],
)
@pytest.mark.parametrize("version", ["v2", "v2alpha1"])
def test_a_pool_that_this_run_deletes_may_still_overlap(
    api: ApiServer, other: dict[str, Any], leaves: object, version: str
) -> None:
    """Pulumi deletes at the end: to wait for it here would be to wait for ever."""
    words = "Pool conflicts since range 'x' overlaps range 'y' from IP Pool 'old.dns'"
    api.put(POOL.format(version, "a"), pool(conflict=words))
    api.put(POOL.format(version, "").rstrip("/"), {"items": [other, of_pulumi("a")]})
    made = bench(api, POOLS="a")
    if leaves:
        assert pool_valid(made.job) == "pools valid: a"
        return
    with pytest.raises(OperationError, match=r"pool a is in conflict: Pool conflicts since range"):
        pool_valid(made.job)


def test_the_address_is_assigned(api: ApiServer) -> None:
    api.put(SERVICE_PATH, service("10.0.50.200"))
    made = bench(api, SERVICE=SERVICE, ADDRESS="10.0.50.200")
    assert address_assigned(made.job) == f"{SERVICE} holds 10.0.50.200"


@pytest.mark.parametrize(
    ("item", "lack"),
    [
        (service(), "it holds none; cilium-operator has not judged its request yet"),
        (
            service("10.0.50.201", reason="satisfied", status="True"),
            SATISFIED,
        ),
        (
            service(reason="no_pool"),
            "Cilium says no_pool: no pool that is enabled and without conflict has the address",
        ),
        (
            service(reason="pool_selector_mismatch"),
            "pool_selector_mismatch: no pool with this address has a serviceSelector that matches",
        ),
        (
            service(reason="already_allocated"),
            "already_allocated: another Service holds the address",
        ),
        (
            service(reason="already_allocated_incompatible_service"),
            "another Service holds the address and cannot share it",
        ),
        (service(reason="out_of_ips"), "Cilium says out_of_ips: the pool has no free address"),
        (service(reason="new_one", message="its words"), "Cilium says new_one: its words"),
        (None, f"Service {SERVICE} does not exist"),
    ],
)
def test_why_the_address_is_not_assigned(api: ApiServer, item: dict[str, Any] | None, lack: str) -> None:
    api.put("/api/v1/services", {"items": [service("10.0.50.201")]})
    if item is not None:
        api.put(SERVICE_PATH, item)
    with pytest.raises(OperationError) as caught:
        address_assigned(bench(api, SERVICE=SERVICE, ADDRESS="10.0.50.200").job)
    assert lack in str(caught.value)
    assert "is held by" not in str(caught.value)
    assert "check: `kubectl describe service ingress-nginx-controller` for the request" in str(caught.value)


def test_who_holds_the_address(api: ApiServer) -> None:
    api.put(SERVICE_PATH, service(reason="already_allocated"))
    api.put("/api/v1/services", {"items": [service("10.0.50.201"), service("10.0.50.200")]})
    with pytest.raises(OperationError, match=r"10.0.50.200 is held by Service default/other"):
        address_assigned(bench(api, SERVICE=SERVICE, ADDRESS="10.0.50.200").job)


@pytest.mark.parametrize("name", ["ingress", "/ingress", "ingress/"])
def test_bad_service(api: ApiServer, name: str) -> None:
    with pytest.raises(OperationError, match=f"SERVICE must be namespace/name, not '{name}'"):
        lease_held(bench(api, SERVICE=name).job)


def lease(
    holder: str = "w1", renewed: str = "2026-11-23T18:00:28.123456Z", duration: int = 15
) -> dict[str, Any]:
    return {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": duration}}


def test_the_lease_is_held(api: ApiServer) -> None:
    api.date = NOW
    api.put(LEASE.format("kube-system"), lease())
    made = bench(api, SERVICE=SERVICE)
    assert lease_held(made.job) == f"{SERVICE} is announced"
    assert made.said == [f"{SERVICE} is announced by w1"]


def test_nobody_announces(api: ApiServer) -> None:
    with pytest.raises(OperationError) as caught:
        lease_held(bench(api, SERVICE=SERVICE).job)
    assert (
        "last answer: lease cilium-l2announce-ingress-nginx-ingress-nginx-controller does not exist"
        in str(caught.value)
    )
    assert "check: that the L2 policy selects the Service and at least one node" in str(caught.value)


@pytest.mark.parametrize(
    ("item", "lack"),
    [
        (lease(), ""),
        (lease(renewed="2026-11-23T17:59:50Z"), ""),
        (lease(renewed="2026-11-23T17:59:40Z"), "lease l was last renewed by w1 at 2026-11-23T17:59:40Z"),
        (lease(holder=""), "lease l has no holder"),
        ({}, "lease l has no holder"),
        (None, "lease l does not exist"),
    ],
)
def test_leases(item: dict[str, Any] | None, lack: str) -> None:
    assert lease_lacks("l", item, NOW) == lack


@pytest.mark.parametrize(
    ("item", "date"), [(lease(renewed="yesterday"), NOW), (lease(), "now"), (lease(), "")]
)
def test_times_that_cannot_be_read(item: dict[str, Any], date: str) -> None:
    with pytest.raises(Unanswered, match="lease l of w1 has no time of renewal that can be read"):
        lease_lacks("l", item, date)


def test_a_lease_that_was_never_renewed() -> None:
    with pytest.raises(Unanswered, match="lease l of w1 has no time of renewal that can be read"):
        lease_lacks("l", {"spec": {"holderIdentity": "w1"}}, NOW)
