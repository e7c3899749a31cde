"""A set of nodes for the tests of the plan and of what carries it out."""

from __future__ import annotations

from clients.talos.handshake import State
from clients.talos.machine_identity import MachineIdentity
from steps.nodes.plan import ManagedNode, NodesState, SeenNode, WantedNode

ADDRESSES = {"cp1": "10.0.50.11", "cp2": "10.0.50.12", "cp3": "10.0.50.13", "w1": "10.0.50.21"}


def machine(number: int) -> MachineIdentity:
    """Return the identity of a machine."""
    return MachineIdentity(f"uuid-{number}", f"serial-{number}", (f"02:00:00:00:00:{number:02x}",))


def wanted(name: str, config: str = "old", **over: str) -> WantedNode:
    """Return a node of the stack file; its role follows from its name."""
    role = "controlplane" if name.startswith("cp") else "worker"
    fields = {"role": role, "address": ADDRESSES[name], "talos": "v1.13.0", "kubernetes": "v1.36.3"}
    return WantedNode(name, **{**fields, "config": config, **over})


def settled(*names: str) -> NodesState:
    """Return a cluster in which nothing has to be done."""
    numbers = {name: number for number, name in enumerate(ADDRESSES, start=1)}
    return NodesState(
        {name: wanted(name) for name in names},
        {name: ManagedNode(wanted(name), machine(numbers[name])) for name in names},
        {name: SeenNode(State.OURS, machine(numbers[name])) for name in names},
    )
