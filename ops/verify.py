"""`ops verify`: one look at a running cluster, a line per claim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered, open_patient
from ops import lan_probe, observe, verify_checks
from ops.sources import CannotCheckError
from ops.table import Row, not_applicable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.talos.process import TalosctlRunner
    from model import Cluster, Reservation
    from ops.facts import Seen
    from ops.sources import Credentials


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """How far to look: whether to open connections to the addresses from this machine."""

    probe: bool = False


def look(cluster: Cluster, credentials: Credentials, runner: TalosctlRunner) -> Seen:
    """Return what the Kubernetes API and, where there is a talosconfig, the nodes say.

    Raises:
        CannotCheckError: the API server cannot be asked.
    """
    if not credentials.kubeconfig:
        raise CannotCheckError(
            "there is no kubeconfig: the stack has no such output yet, or name --kubeconfig"
        )
    try:
        seen = observe.gather(open_patient(credentials.kubeconfig))
    except (OperationError, Unanswered) as error:
        raise CannotCheckError(f"the Kubernetes API cannot be asked: {error}") from None
    # The Kubernetes half is worth something on its own; the lines about nodes then say why they are n/a.
    if not credentials.talosconfig:
        return seen
    links, unknown = observe.links(cluster.announcing_nodes, credentials.talosconfig, runner)
    etcd = observe.etcd(cluster.control_planes, credentials.talosconfig, runner)
    return replace(seen, links=links, links_unknown=unknown, etcd=etcd)


def verify(cluster: Cluster, credentials: Credentials, runner: TalosctlRunner, scope: Scope) -> list[Row]:
    """Return the whole table.

    Raises:
        CannotCheckError: the API server cannot be asked.
    """
    seen = look(cluster, credentials, runner)
    rows = list(verify_checks.rows(cluster, seen))
    for reservation in cluster.requested:
        rows.extend(_from_the_lan(cluster, reservation, seen, scope))
    return rows


def _from_the_lan(cluster: Cluster, reservation: Reservation, seen: Seen, scope: Scope) -> Iterator[Row]:
    """Yield what this machine sees of an address."""
    address = reservation.address
    reason = seen.agents_absent or ("" if scope.probe else "not asked for (--probe opens connections)")
    service = seen.service(reservation.namespace, reservation.name)
    ports = sorted(port.number for port in service.ports if port.protocol == "TCP") if service else []
    if reason or not ports:
        reason = reason or "its Service has no TCP port, or does not exist"
        yield not_applicable(f"{address} answers from here", reason)
        return
    # ARP first: without an answer to it no connection can open.
    yield lan_probe.arp(address, cluster.lan.cidr)
    for port in ports:
        yield lan_probe.tcp(address, port)
    # A port that is open without a page behind it is a fault of the pods, not of the address.
    if lan_probe.HTTP in ports:
        yield lan_probe.web(address)
