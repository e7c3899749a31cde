"""`ops doctor`: what is wrong on this machine, in the config, on the nodes and in the cluster, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.warnings import advice
from ops import certificates, owners, sources, verify, workstation
from ops.diagnosis import unannounced, unassigned
from ops.sources import CannotCheckError, Credentials
from ops.table import Row, failed, not_applicable, noted, passed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from clients.talos.process import TalosctlRunner as Talosctl
    from model import Cluster
    from ops.diagnosis.finding import Finding
    from ops.facts import Seen, Service
    from ops.sources import Place


def doctor(place: Place, pulumi: sources.PulumiRunner, talosctl: Talosctl, now: datetime) -> Iterator[Row]:
    """Yield a line for everything looked at; what needs something that is missing says so."""
    # Needs neither config nor cluster, so it helps even where all that follows fails.
    yield from workstation.tools()
    try:
        cluster = sources.cluster(place)
    except CannotCheckError as error:
        # Addresses of a faulty config would send a person to the wrong machines.
        yield failed("stack config", str(error), "repair these first; nothing else is asked")
        return
    yield passed("stack config", f"{sources.stack_file(place)} has no faults")
    for warning in advice(cluster):
        yield noted("stack config", warning)
    found, row = _credentials(place, pulumi)
    yield row
    # Before the nodes: an expired certificate makes every node look like a stranger.
    yield from certificates.rows(found, now)
    yield from workstation.nodes(cluster, found)
    yield from _cluster(cluster, found, talosctl)


def _credentials(place: Place, pulumi: sources.PulumiRunner) -> tuple[Credentials, Row]:
    check = "credentials"
    try:
        found = sources.credentials(place, pulumi)
    except CannotCheckError as error:
        return Credentials(), failed(check, str(error))
    missing = [name for name in ("kubeconfig", "talosconfig") if not getattr(found, name)]
    # Not a fault: credentials exist only after the first `pulumi up`.
    if missing:
        return found, not_applicable(check, f"no {' and no '.join(missing)}: before the first `pulumi up`?")
    return found, passed(check, "kubeconfig and talosconfig found")


def _cluster(cluster: Cluster, found: Credentials, talosctl: Talosctl) -> Iterator[Row]:
    try:
        seen = verify.look(cluster, found, talosctl)
    except CannotCheckError as error:
        # Before the first `pulumi up` there is no API server, and that is no fault.
        row = failed if found.kubeconfig else not_applicable
        yield row("Kubernetes", str(error))
        return
    yield passed("Kubernetes", f"the API server answers; {len(seen.nodes)} nodes")
    yield from owners.rows(seen, cluster.load_balancer.owner)
    if not seen.services:
        yield not_applicable("LoadBalancer Services", "there is none")
    for service in seen.services:
        yield from service_rows(cluster, service, seen)


def service_rows(cluster: Cluster, service: Service, seen: Seen) -> Iterator[Row]:
    """Yield what keeps a Service from its address, or its address from answering."""
    check = f"Service {service.key}"
    withheld = list(unassigned.unassigned(service, seen))
    yield from _findings(f"{check} has no address", withheld)
    if not service.addresses:
        return
    held = ", ".join(str(address) for address in service.addresses)
    # Where agents are simulated every cause below would be found, and none would be true.
    if seen.agents_absent:
        yield passed(f"{check} holds {held}", f"whether it answers cannot be said: {seen.agents_absent}")
        return
    silent = list(unannounced.unannounced(service, seen, cluster.lan.cidr, cluster.versions.cilium))
    yield from _findings(f"{check} may not answer at {held}", silent)
    if not silent:
        lease = seen.leases.get(service.key)
        yield passed(f"{check} holds {held}", f"announced by {lease.holder}" if lease else "no cause found")


def _findings(check: str, findings: list[Finding]) -> Iterator[Row]:
    for finding in findings:
        yield failed(check, finding.cause, finding.advice)
