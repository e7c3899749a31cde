"""Cilium, the LoadBalancer pool and the ingress Service."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from model.base import Model
from model.types import Address4, DnsLabel, Network4, Seconds


class Chart(Model):
    """Where the Cilium chart comes from: a repository, or a local directory or archive (air-gapped)."""

    repository: str = "https://helm.cilium.io/"
    path: str | None = Field(default=None, description="Directory or .tgz, relative to the project.")


class Hubble(Model):
    """Flow observability; the UI needs the relay, the relay needs Hubble."""

    enabled: bool = False
    relay: bool = False
    ui: bool = False


class Cilium(Model):
    """The Cilium release."""

    chart: Chart = Chart()
    kube_proxy_replacement: Literal["strict"] | bool = Field(
        default=True,
        description="true, or the old word strict, which means the same; false is refused.",
    )
    hubble: Hubble = Hubble()
    values: dict[str, Any] = Field(default={}, description="Helm values merged over those of the program.")


class Leases(Model):
    """Times of the L2 announcement lease; failover after a crash takes duration ± renewDeadline."""

    duration: Seconds = 15.0
    renew_deadline: Seconds = 5.0
    retry_period: Seconds = 2.0


class Reservation(Model):
    """An address of the pool that only one Service may have."""

    namespace: DnsLabel
    name: DnsLabel
    address: Address4


class LoadBalancer(Model):
    """Pool and L2 announcements of LoadBalancer Services."""

    cidr: Network4
    owner: Literal["pulumi", "flux"] = "pulumi"
    allow_first_last_ips: bool = True
    interfaces: tuple[str, ...] | None = Field(
        default=None,
        description="Anchored regular expressions of link names; default: the link of the LAN.",
    )
    node_selector: dict[str, str] | None = Field(
        default=None,
        description="Labels of the nodes that announce; default: workers, or all where there are none.",
    )
    reservations: tuple[Reservation, ...] = ()
    expected_services: int = Field(default=8, ge=1, description="Sizes Cilium's client rate limit.")
    leases: Leases = Leases()
    verify_lease: bool = Field(
        default=True,
        description="Wait until a node holds the lease of each requested address.",
    )


class Ingress(Model):
    """The Service that asks for its address.

    `service` creates it; `external` only reserves the address for a Service that a chart or Flux creates.
    """

    controller: Literal["service", "external", "none"] = "service"
    namespace: DnsLabel = "ingress-nginx"
    name: DnsLabel = "ingress-nginx-controller"
    address: Address4 | None = None
    external_traffic_policy: Literal["Cluster", "Local"] = "Cluster"
    selector: dict[str, str] = {
        "app.kubernetes.io/name": "ingress-nginx",
        "app.kubernetes.io/instance": "ingress-nginx",
        "app.kubernetes.io/component": "controller",
    }
