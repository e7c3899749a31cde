"""Rules of the L2 announcement lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.types import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.load_balancer import LoadBalancer

# JitterFactor of client-go's leader election, which Cilium compares with (`leaseTimings` in pkg/l2announcer).
JITTER_FACTOR = 1.2


def lease_times_are_in_order(load_balancer: LoadBalancer) -> Iterator[Fault]:
    """Cilium replaces times out of order by its own, in the log of an agent: here they are faults."""
    leases = load_balancer.leases
    duration, deadline, retry = (
        format_duration(leases.duration),
        format_duration(leases.renew_deadline),
        format_duration(leases.retry_period),
    )
    # A Lease object counts whole seconds.
    if leases.duration < 1:
        yield Fault("loadBalancer.leases.duration", f"{duration} is too short: Cilium needs at least 1s")
    elif leases.duration % 1:
        yield Fault(
            "loadBalancer.leases.duration",
            f"{duration} is cut to whole seconds in a Lease: use whole seconds",
        )
    if leases.duration <= leases.renew_deadline:
        yield Fault(
            "loadBalancer.leases.duration",
            f"{duration} must be longer than renewDeadline {deadline}, or a lease ends before its holder "
            f"gives up; use {format_duration(3 * leases.renew_deadline)}",
        )
    if leases.renew_deadline <= JITTER_FACTOR * leases.retry_period:
        yield Fault(
            "loadBalancer.leases.renewDeadline",
            f"{deadline} must be longer than {JITTER_FACTOR} times retryPeriod {retry}, "
            "or there is no time for a second try",
        )


RULES = (lease_times_are_in_order,)
