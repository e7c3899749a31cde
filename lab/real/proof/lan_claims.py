"""Claims about 10.0.50.200 as clients on the LAN see it: ARP, HTTP, and which node answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.real import workload
from lab.real.admin import wait_for
from lab.real.lan_client import owner
from lab.real.record import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.real.lan_client import LanClient
    from lab.real.proof.subject import Subject

TRIES = 12
"""HTTP requests of a check: with two pods behind the address, chance hides one of them once in 2000 runs."""


def checks(subject: Subject) -> Iterator[Check]:
    """Yield every claim about the address."""
    holder = settled_holder(subject)
    yield programmed(subject, holder)
    for client in subject.clients:
        # An entry of an earlier check would hide that nobody answers any more.
        client.forget()
        yield arp(subject, client, holder)
        yield http(subject, client, holder)
    yield unused(subject)


def announcers(subject: Subject) -> set[str]:
    """Return the nodes that the L2 policy selects."""
    return {node.name for node in subject.config.announcing_nodes}


def settled_holder(subject: Subject) -> str:
    """Return the node that holds the lease and answers ARP, once one does both."""

    def both() -> bool:
        holder = workload.lease_holder(subject.cluster)
        _, macs = subject.clients[0].arping(subject.address, 1)
        # Both: a node can hold the lease and answer nothing, or for a while answer without it.
        return holder is not None and macs == [subject.machine(holder).mac]

    wait_for(f"the lease holder answers ARP for {subject.address}", both)
    return workload.lease_holder(subject.cluster) or ""


def programmed(subject: Subject, holder: str) -> Check:
    """The agent of the holder has the address in its eBPF map of announcements."""
    shown = subject.cluster.agent(holder, "cilium-dbg", "shell", "--", "db/show", "l2-announce")
    return Check(f"the agent of {holder} announces {subject.address}", subject.address in shown, shown)


def arp(subject: Subject, client: LanClient, holder: str) -> Check:
    """ARP is answered with the MAC address of the lease's holder, and by nobody else."""
    shown, macs = client.arping(subject.address)
    passed = bool(macs) and set(macs) == {subject.machine(holder).mac}
    names = ", ".join(sorted({owner(mac, subject.machines) for mac in macs})) or "nobody"
    claim = f"{client.station.name}: ARP for {subject.address} is answered by {names}, the lease's holder"
    return Check(claim, passed, shown)


def http(subject: Subject, client: LanClient, holder: str) -> Check:
    """HTTP reaches every node with an ingress pod, so also another than the one that answers ARP."""
    answers = client.ask(subject.address, TRIES)
    nodes = sorted({answer.node for answer in answers})
    expected = sorted(set(workload.endpoints(subject.cluster).values()))
    cached = client.cached(subject.address)
    passed = len(answers) == TRIES and nodes == expected and cached == subject.machine(holder).mac
    claim = (
        f"{client.station.name}: HTTP on {subject.address}, at {holder}, reaches pods on {', '.join(nodes)}"
    )
    lines = [
        f"{len(answers)} of {TRIES} answered; ARP cache: {cached} ({owner(cached or '', subject.machines)})"
    ]
    return Check(claim, passed, "\n".join(lines + sorted({str(answer) for answer in answers})))


def unused(subject: Subject) -> Check:
    """Nobody answers for an address of the pool that no Service has."""
    # The lowest free address of a pool is given out first, so this one is the last to be taken.
    free = str(subject.config.load_balancer.cidr.broadcast_address)
    shown, macs = subject.clients[0].arping(free, 2)
    return Check(f"nobody answers ARP for {free}, which no Service has", not macs, shown)
