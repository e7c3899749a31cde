"""A Gateway of Cilium gets the address of the ingress, made by the real operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import report
from lab.tools import ensure
from tests.lab.test_load_balancer import ask, client, config, pools, refused
from tests.lab.test_load_balancer_ingress import retire

if TYPE_CHECKING:
    from tests.lab.conftest import Run

__all__ = ["client"]  # a fixture

pytestmark = pytest.mark.lab
GATEWAY = {"controller": "gateway", "name": "lan", "namespace": "gateway", "address": "10.0.50.200"}


def test_cilium_waits_for_the_kinds_of_the_gateway_api(lab: Run, client: report.Client) -> None:
    """Its operator would look for them once and then never again."""
    with config(lab, cilium__gatewayApi={"enabled": True}, timeouts__crds="5s"):
        said = refused(lab)
    assert "gateways.gateway.networking.k8s.io does not exist" in said
    assert "somebody must install the CRDs of the Gateway API v1.6.1 before Cilium" in said


def test_a_gateway_gets_the_address_after_the_service_gave_it_up(lab: Run, client: report.Client) -> None:
    kinds = ensure(["gateway-kinds"])["gateway-kinds"]
    for kind in sorted(kinds.glob("gateway.networking.k8s.io_*.yaml")):
        client.run("kubectl", "apply", "--server-side", f"--filename={kind}")
    retire(lab)
    with config(
        lab,
        cilium__gatewayApi={"enabled": True},
        **{f"ingress__{key}": value for key, value in GATEWAY.items()},
    ):
        lab.up()
        status, said = ask(lab, client, "gateway/cilium-gateway-lan", "10.0.50.200", 5)
        assert (status, "gateway/cilium-gateway-lan holds 10.0.50.200" in said) == (0, True)
        assert pools(client)["cilium-gateway-lan.gateway"] == (["10.0.50.200-10.0.50.200"], "False")
    with config(lab, cilium__gatewayApi={"enabled": True}):
        retire(lab)
    lab.up()
    assert report.address(client, *report.INGRESS) == "10.0.50.200"
