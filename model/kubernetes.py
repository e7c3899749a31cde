"""The LoadBalancer pool and the ingress Service."""

from fractions import Fraction
from math import ceil
from typing import Any, Literal, NamedTuple

from pydantic import Field

from model.base import Model
from model.types import (
    AcknowledgedWord,
    Address4,
    ChartRepository,
    DnsLabel,
    Network4,
    PlainVersion,
    Seconds,
)


class Leases(Model):
    """Times of the L2 announcement lease; failover after a crash takes duration ± renewDeadline."""

    duration: Seconds = Field(default=15.0, description="How long a lease stays valid without renewal.")
    renew_deadline: Seconds = Field(
        default=5.0, description="The holder renews within this time or gives up."
    )
    retry_period: Seconds = Field(
        default=2.0, description="Pause between two tries to take or renew a lease."
    )


class Reservation(Model):
    """An address of the pool that only one Service may have."""

    namespace: DnsLabel = Field(description="Namespace of the Service.")
    name: DnsLabel = Field(description="Name of the Service.")
    address: Address4 = Field(description="Address in loadBalancer.cidr.")


class ClientRateLimit(NamedTuple):
    """Limits of Cilium's Kubernetes client on each node: requests per second, and in one burst."""

    qps: int
    burst: int


# Cilium's own defaults are 10 and 20 (pkg/defaults in its source); leases come on top of that work.
_OTHER_REQUESTS = 10
_LEAST = ClientRateLimit(qps=20, burst=40)


class LoadBalancer(Model):
    """Pool and L2 announcements of LoadBalancer Services."""

    cidr: Network4 = Field(description="Addresses for LoadBalancer Services, inside lan.cidr.")
    owner: Literal["pulumi", "handover", "flux"] = Field(
        default="pulumi",
        description="Who applies pools and policy: this program, or Flux from cilium-ip-pool.yaml; handover "
        "is the step between them, in which both may and neither deletes.",
    )
    allow_first_last_ips: bool = Field(
        default=True,
        alias="allowFirstLastIPs",
        description="Whether the first and the last address of the pool may be given to a Service.",
    )
    interfaces: tuple[str, ...] | None = Field(
        default=None,
        description="Anchored regular expressions of link names; default: the link of the LAN.",
    )
    node_selector: dict[str, str] | None = Field(
        default=None,
        description="Labels of the nodes that announce; default: workers, or all where there are none.",
    )
    reservations: tuple[Reservation, ...] = Field(
        default=(),
        description="Addresses kept for one Service each, beside that of the ingress.",
    )
    expected_services: int = Field(default=8, ge=1, description="Sizes Cilium's client rate limit.")
    leases: Leases = Field(default=Leases(), description="How fast another node takes over.")
    verify_lease: bool = Field(
        default=True,
        description="Wait until a node holds the lease of each requested address.",
    )

    acknowledge: AcknowledgedWord | None = Field(
        default=None,
        description="The word that lets a refused change of pools take addresses from Services.",
    )

    @property
    def lease_requests(self) -> int:
        """Lease renewals per second of one node that holds the leases of all expected Services."""
        return ceil(self.expected_services / Fraction(self.leases.renew_deadline).limit_denominator(1000))

    @property
    def client_rate_limit(self) -> ClientRateLimit:
        """`k8sClientRateLimit` of the chart, so that renewals are never the requests that wait.

        The worst case of Cilium's L2 announcement page: Services / renewDeadline on one node, plus
        what the agent asks anyhow; never less than 20 per second, 40 in a burst.
        """
        qps = self.lease_requests + _OTHER_REQUESTS
        return ClientRateLimit(qps=max(qps, _LEAST.qps), burst=max(2 * qps, _LEAST.burst))


class IngressChart(Model):
    """Where the Ingress Nginx chart comes from: a repository, or a local directory or archive."""

    repository: ChartRepository = Field(
        default="https://kubernetes.github.io/ingress-nginx",
        description="Helm repository (https://…) or OCI registry (oci://…/ingress-nginx).",
    )
    path: str | None = Field(
        default=None,
        description="Directory or .tgz, relative to the project; then no repository is asked.",
    )
    version: PlainVersion = Field(
        default="4.14.2", description="Version of the chart; there are few new ones."
    )


GATEWAY_SERVICE = "cilium-gateway-"
"""What Cilium puts before a Gateway's name for its Service (operator/pkg/model/translation/gateway-api)."""


class Ingress(Model):
    """Who asks for the address of the ingress.

    `service` creates a Service alone, `nginx` the Ingress Nginx controller, `gateway` a Gateway of Cilium;
    `external` only reserves the address for a Service that a chart or Flux creates.
    """

    controller: Literal["service", "nginx", "gateway", "external", "none"] = Field(
        default="service",
        description="service: create the Service; nginx: install Ingress Nginx; gateway: create a Gateway of "
        "Cilium; external: only reserve its address; none: no ingress.",
    )
    namespace: DnsLabel = Field(
        default="ingress-nginx", description="Namespace of the Service, or of the Gateway."
    )
    name: DnsLabel = Field(
        default="ingress-nginx-controller", description="Name of the Service, or of the Gateway."
    )
    address: Address4 | None = Field(
        default=None, description="The address it asks for, in loadBalancer.cidr."
    )
    external_traffic_policy: Literal["Cluster", "Local"] = Field(
        default="Cluster",
        description="Local keeps client addresses, announces only where a pod runs; Cilium >= 1.20.2.",
    )
    selector: dict[str, str] = Field(
        default={
            "app.kubernetes.io/name": "ingress-nginx",
            "app.kubernetes.io/instance": "ingress-nginx",
            "app.kubernetes.io/component": "controller",
        },
        description="Labels of the pods behind the Service, for controller service.",
    )
    chart: IngressChart = Field(default=IngressChart(), description="The chart, for controller nginx.")
    values: dict[str, Any] = Field(
        default={}, description="Helm values over those of the program, for controller nginx."
    )
    tls_secret: DnsLabel | None = Field(
        default=None,
        description="Secret with the certificate of a listener on 443, for controller gateway.",
    )

    @property
    def service_name(self) -> str:
        """Name of the Service that holds the address: Cilium names that of a Gateway after the Gateway."""
        return GATEWAY_SERVICE + self.name if self.controller == "gateway" else self.name
