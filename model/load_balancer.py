"""The LoadBalancer pool and the ingress Service."""

from fractions import Fraction
from math import ceil
from typing import Literal, NamedTuple

from pydantic import Field

from model.strict import Model
from model.types import (
    AcknowledgementCode,
    Address4,
    DnsLabel,
    Network4,
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
    expected_services: int = Field(
        default=8, ge=1, le=100_000, description="Sizes Cilium's client rate limit."
    )
    leases: Leases = Field(default=Leases(), description="How fast another node takes over.")
    verify_lease: bool = Field(
        default=True,
        description="Wait until a node holds the lease of each requested address.",
    )

    acknowledge: AcknowledgementCode | None = Field(
        default=None,
        description="Acknowledgement code of a refused pool change: lets it take addresses from Services.",
    )

    @property
    def lease_requests(self) -> int:
        """Lease renewals per second of one node that holds the leases of all expected Services."""
        # Exact, because an error in the last digit of a float would be rounded up to a whole request.
        return ceil(self.expected_services / Fraction(self.leases.renew_deadline).limit_denominator(1000))

    @property
    def client_rate_limit(self) -> ClientRateLimit:
        """`k8sClientRateLimit` of the chart, so that renewals are never the requests that wait.

        The worst case of Cilium's L2 announcement page: Services / renewDeadline on one node, plus
        what the agent asks anyhow; never less than 20 per second, 40 in a burst.
        """
        qps = self.lease_requests + _OTHER_REQUESTS
        # A burst of twice the rate is the ratio of Cilium's own defaults.
        return ClientRateLimit(qps=max(qps, _LEAST.qps), burst=max(2 * qps, _LEAST.burst))
