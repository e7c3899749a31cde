"""The guard in front of the pools: no Service loses an address it uses unless somebody has said so."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from clients.cilium.kinds import block_ends
from clients.cilium.lb_ipam import all_pools, applied_by_pulumi, held_addresses
from clients.errors import OperationError
from steps.inputs import AddressesKeptInputs
from steps.kubernetes_gates import gate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clients.kubernetes.api import Kube, Object
    from steps.job import Job

_DIGITS = 8  # of the acknowledgement code


@dataclass(frozen=True, slots=True)
class Span:
    """Addresses of a pool that is wanted.

    Attributes:
        service: the only Service that may have them, as namespace/name, or empty.
    """

    pool: str
    first: IPv4Address
    last: IPv4Address
    service: str

    def suits(self, service: str, address: IPv4Address) -> bool:
        """Return whether the Service may hold the address."""
        return self.first <= address <= self.last and self.service in {"", service}


@dataclass(frozen=True, slots=True)
class Move:
    """A Service that would lose an address it holds, and why."""

    service: str
    address: str
    reason: str

    def __str__(self) -> str:
        """The move as a line of a list."""
        return f"  {self.service} would lose {self.address}: {self.reason}"


def addresses_kept(job: Job) -> str:
    """Compare the wanted pools with what Services hold now; refuse to take an address away unasked.

    Raises:
        OperationError: the change takes an address away and is not acknowledged.
    """
    inputs = job.inputs(AddressesKeptInputs)
    wanted = parse_spans(inputs.pools)
    requests = dict(word.split("=", 1) for word in inputs.requests)
    acknowledged = inputs.acknowledge

    def lacks(kube: Kube) -> str:
        moves = find_moves(kube.items("/api/v1/services"), all_pools(kube), wanted, requests)
        if moves and acknowledged != code_for(moves):
            raise refusal(moves, acknowledged)
        for move in moves:
            job.say(f"acknowledged:{move}")
        return ""

    return gate(job, "the addresses in use", "the API server", lacks, "addresses in use are kept")


def parse_spans(text: str) -> tuple[Span, ...]:
    """Return the pools of lines like `homelab: 10.0.50.201-10.0.50.207` or `p: 10.0.50.200 for ns/name`."""
    return tuple(_span(line) for line in text.splitlines())


def _span(line: str) -> Span:
    pool, _, rest = line.partition(": ")
    block, _, service = rest.partition(" for ")
    first, _, last = block.partition("-")
    try:
        return Span(pool, IPv4Address(first), IPv4Address(last or first), service)
    except ValueError:
        raise OperationError(f"POOLS has a line that is no pool: {line!r}") from None


def find_moves(
    services: Iterable[Object],
    pools: Sequence[Object],
    wanted: Sequence[Span],
    requests: dict[str, str],
) -> list[Move]:
    """Return every address of these pools that a Service holds and would not keep without a break."""
    names = {span.pool for span in wanted}
    live = [pool for pool in pools if applied_by_pulumi(pool) or pool["metadata"]["name"] in names]
    return sorted(
        (
            Move(service, held, reason)
            for service, held in _holdings(services)
            if (reason := _reason(service, IPv4Address(held), live, wanted, requests.get(service, held)))
        ),
        key=lambda move: (move.service, move.address),
    )


def _holdings(services: Iterable[Object]) -> Iterator[tuple[str, str]]:
    for item in services:
        metadata = item["metadata"]
        for held in held_addresses(item):
            if held and ":" not in held:  # the pools are IPv4
                yield f"{metadata['namespace']}/{metadata['name']}", held


def _reason(
    service: str, held: IPv4Address, live: Sequence[Object], wanted: Sequence[Span], asked: str
) -> str:
    """Return why the Service does not keep the address; nothing if it does, or if no pool of ours has it."""
    current = {pool["metadata"]["name"] for pool in live if _covers(pool, held)}
    if not current:
        return ""
    if asked != str(held):
        return f"it will ask for {asked}"
    suitable = [span for span in wanted if span.suits(service, held)]
    if any(span.pool in current for span in suitable):
        return ""
    if suitable:
        giving = ", ".join(sorted(current))
        return f"it leaves pool {giving} before pool {suitable[0].pool} has it, and may become another one"
    reserved = next((span.service for span in wanted if span.first <= held <= span.last), "")
    return f"it will be reserved for {reserved}" if reserved else "no pool has it any more"


def _covers(pool: Object, address: IPv4Address) -> bool:
    ends = (block_ends(block) for block in pool.get("spec", {}).get("blocks") or [])
    return any(found is not None and found[0] <= address <= found[1] for found in ends)


def code_for(moves: Iterable[Move]) -> str:
    """Return the acknowledgement code of these moves and no others."""
    text = "\n".join(f"{move.service} {move.address}" for move in moves)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def refusal(moves: Sequence[Move], acknowledged: str) -> OperationError:
    """Return the error that names every move and their acknowledgement code."""
    lines = "\n".join(map(str, moves))
    stale = f" (it is {acknowledged}, which was for other moves)" if acknowledged else ""
    return OperationError(
        f"this change takes addresses away from Services that use them; no pool has been changed:\n{lines}",
        f"the stack config; if this is meant, set loadBalancer.acknowledge: {code_for(moves)!r}{stale}",
    )
