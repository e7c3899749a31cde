"""What has to happen to the machines: a pure function of what is wanted, was managed last, and is seen.

Whatever could be a mistake is refused with what was seen. What a person may mean all the same has an
acknowledgement code: it names exactly this event and is worthless for the next one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos.handshake import State
from clients.talos.machine_identity import MachineIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIGITS = 8  # of an acknowledgement code
CONTROL_PLANE = "controlplane"
ACKNOWLEDGE = "the stack's configuration; if this is meant, add to talos.acknowledge: {codes}"


@dataclass(frozen=True, slots=True)
class WantedNode:
    """A node of the stack's configuration.

    Attributes:
        config: digest of its machine config.
    """

    name: str
    role: str
    address: str
    talos: str
    kubernetes: str
    config: str


@dataclass(frozen=True, slots=True)
class ManagedNode:
    """A node as the last run that succeeded left it."""

    wanted: WantedNode
    machine: MachineIdentity


@dataclass(frozen=True, slots=True)
class SeenNode:
    """What is at a node's address now.

    Attributes:
        state: what answers.
        machine: who it is, if it is ours.
        is_leaving: whether its removal was begun by an earlier run, or is complete but for the record.
    """

    state: State
    machine: MachineIdentity = field(default_factory=MachineIdentity)
    is_leaving: bool = False


class NodesMove(Enum):
    """What is done to one node."""

    WIPE = "leaves the cluster and is wiped"
    SHUT_DOWN = "leaves the cluster and is shut down"
    FORGET = "is gone: its Node is deleted"
    CHANGE = "gets its new configuration"


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """A move of one node."""

    move: NodesMove
    node: WantedNode

    def __str__(self) -> str:
        """As a line of the plan."""
        return f"  {self.node.name} ({self.node.role}, {self.node.address}) {self.move.value}"


@dataclass(frozen=True, slots=True)
class NodesState:
    """All that the plan is made of, by name of the node; `seen` has every name of the other two.

    Attributes:
        acknowledged: acknowledgement codes of the configuration.
        wipes: whether a node that leaves is wiped.
    """

    wanted: Mapping[str, WantedNode]
    last: Mapping[str, ManagedNode]
    seen: Mapping[str, SeenNode]
    acknowledged: frozenset[str] = frozenset()
    wipes: bool = False

    def removed(self) -> list[WantedNode]:
        """Return the nodes that were managed and are not wanted any more, workers first."""
        return _workers_first(node.wanted for name, node in self.last.items() if name not in self.wanted)


def make_plan(state: NodesState) -> list[PlannedMove]:
    """Return the moves, in the order in which they are made: removals first, then changes, workers first.

    Raises:
        OperationError: something must not be done, or not without an acknowledgement; nothing is done then.
    """
    # Refusals come first: what cannot be done at all needs no acknowledgement.
    refusals = [*_moved(state), *_versions(state), *_quorum(state), *_unreachable(state)]
    if refusals:
        raise OperationError(
            "\n".join(["this change of the nodes is refused; no node has been touched:", *refusals])
        )
    unconfirmed = [
        (text, code) for text in _events(state) if (code := code_of(text)) not in state.acknowledged
    ]
    if unconfirmed:
        codes = [code for _, code in unconfirmed]
        raise OperationError(
            "\n".join(
                ["this may not be what was meant; no node has been touched:", *(t for t, _ in unconfirmed)]
            ),
            ACKNOWLEDGE.format(codes=codes),
        )
    return [*_removals(state), *_changes(state)]


def code_of(event: str) -> str:
    """Return the acknowledgement code of an event."""
    # The text names node, machine and address, so the code is worthless for any other event.
    return hashlib.sha256(event.encode()).hexdigest()[:_DIGITS]


def _workers_first(nodes: Iterator[WantedNode]) -> list[WantedNode]:
    # While control planes stay, there is an API server through which a worker can be drained.
    return sorted(nodes, key=lambda node: (node.role == CONTROL_PLANE, node.name))


def _moved(state: NodesState) -> Iterator[str]:
    """Yield every node that is not what it was: another name, role or address."""
    addresses = {managed.wanted.address: name for name, managed in state.last.items()}
    for name, node in state.wanted.items():
        before = state.last.get(name)
        # The address is what talosctl reaches: whoever has it would be treated as the new name.
        holder = addresses.get(node.address, name)
        if holder != name:
            yield (
                f"  {name} has the address of {holder}, {node.address}: a node cannot be renamed in place; "
                f"remove {holder} first, then add {name}"
            )
        elif before and before.wanted.address != node.address:
            yield (
                f"  {name} cannot move from {before.wanted.address} to {node.address}; "
                "remove it first, then add it at its new address"
            )
        elif before and before.wanted.role != node.role:
            yield (
                f"  {name} is a {before.wanted.role} and cannot become a {node.role} in place; "
                "remove it first, then add it in its new role"
            )


def _versions(state: NodesState) -> Iterator[str]:
    """Yield every version that is not the one that the nodes run."""
    for what, versions in (
        ("talos", _pairs(state, "talos")),
        ("kubernetes", _pairs(state, "kubernetes")),
    ):
        for before, after in versions:
            yield (
                f"  versions.{what} cannot change from {before} to {after} by `pulumi up`: the nodes run "
                f"{before}; set it back to {before}"
            )


def _pairs(state: NodesState, kind: str) -> list[tuple[str, str]]:
    """Return the different (managed, wanted) versions; a new node joins what the others run."""
    before = {getattr(managed.wanted, kind) for managed in state.last.values()}
    after = {getattr(node, kind) for node in state.wanted.values()}
    return sorted((old, new) for old in before for new in after if old != new)


def _quorum(state: NodesState) -> Iterator[str]:
    """Yield what would leave etcd without any of its members."""
    before = {name for name, managed in state.last.items() if managed.wanted.role == CONTROL_PLANE}
    # etcd cannot be handed to control planes that have never been members.
    if before and not before & state.wanted.keys():
        names = ", ".join(sorted(before))
        yield f"  every control plane would leave ({names}): nothing would remain of etcd"


def _unreachable(state: NodesState) -> Iterator[str]:
    """Yield every wanted node that does not work: while one is down, no other is touched."""
    for name, node in state.wanted.items():
        seen = state.seen[name]
        if seen.state is not State.OURS:
            yield f"  {name} must answer as a node of this cluster: {node.address} {seen.state.value}"


def _events(state: NodesState) -> Iterator[str]:
    """Yield what only a person can judge: machines that were swapped, nodes that leave and do not answer."""
    for name, managed in state.last.items():
        seen, address = state.seen[name], managed.wanted.address
        if name in state.wanted:
            if not managed.machine.is_same(seen.machine):
                yield f"  {name} is another machine: it was {managed.machine}, now it is {seen.machine}"
        elif seen.state is State.OURS and not managed.machine.is_same(seen.machine):
            yield (
                f"  {name}, which leaves, is another machine: it was {managed.machine}, "
                f"now it is {seen.machine}"
            )
        elif seen.state is not State.OURS and not seen.is_leaving:
            yield f"  {name} ({managed.machine}) leaves without being asked: {address} {seen.state.value}"


def _removals(state: NodesState) -> Iterator[PlannedMove]:
    for node in state.removed():
        # A dead machine cannot be asked to leave; its Node would stay NotReady for ever.
        if state.seen[node.name].state is not State.OURS:
            yield PlannedMove(NodesMove.FORGET, node)
        else:
            yield PlannedMove(NodesMove.WIPE if state.wipes else NodesMove.SHUT_DOWN, node)


def _changes(state: NodesState) -> Iterator[PlannedMove]:
    for node in _workers_first(iter(state.wanted.values())):
        before = state.last.get(node.name)
        # Without a last result nothing is known, so the config is sent: Talos ignores one that it has.
        same = before and before.wanted.config == node.config
        if not (same and before and before.machine.is_same(state.seen[node.name].machine)):
            yield PlannedMove(NodesMove.CHANGE, node)
