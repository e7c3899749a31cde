"""Rules of the machines: how many, their names, network cards and disks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from model.error_messages import closest
from model.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.nodes import Node
    from model.talos import Talos

# installDiskSelector in the v1alpha1 machine config.
_DISK_SELECTOR_KEYS = ("size", "name", "model", "serial", "modalias", "uuid", "wwid", "type", "busPath")


def a_control_plane_exists(all_nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Without a control plane there is no cluster to join."""
    if not any(node.is_control_plane for node in all_nodes):
        yield Fault("nodes", "no node has role controlplane: at least one must")


def node_names_are_unique(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A node's name is the key of its resources."""
    for name, count in Counter(node.name for node in nodes).items():
        if count > 1:
            yield Fault(f"nodes.{name}.name", f"{count} nodes have this name: give each its own")


def macs_are_unique(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A MAC address belongs to one machine."""
    owners: dict[str, str] = {}
    for node in nodes:
        mac = node.interface.mac
        if mac is not None and mac in owners:
            yield Fault(f"nodes.{node.name}.interface.mac", f"{mac} is also that of node {owners[mac]}")
        elif mac is not None:
            owners[mac] = node.name


def interface_is_named_once(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A network card is found by its name or by its MAC address."""
    for node in nodes:
        if (node.interface.name is None) == (node.interface.mac is None):
            yield Fault(f"nodes.{node.name}.interface", "set exactly one of name and mac")


def disk_is_chosen_once(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """The install disk is named or selected; Talos would otherwise take its own default."""
    for node in nodes:
        if (node.disk is None) == (node.disk_selector is None):
            yield Fault(f"nodes.{node.name}.disk", "set exactly one of disk and diskSelector")


def fingerprints_are_unique(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Each machine makes a key of its own at each boot."""
    owners: dict[str, str] = {}
    for node in nodes:
        if node.fingerprint is None:
            continue
        if node.fingerprint in owners:
            yield Fault(f"nodes.{node.name}.fingerprint", f"is also that of node {owners[node.fingerprint]}")
        owners.setdefault(node.fingerprint, node.name)


def reinstall_names_nodes(talos: Talos, all_nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Whoever may be installed again is a node of this stack, once."""
    names = [node.name for node in all_nodes]
    for name, count in Counter(talos.reinstall).items():
        if name not in names:
            yield Fault("talos.reinstall", f"no node is called {name}{closest(name, names)}")
        if count > 1:
            yield Fault("talos.reinstall", f"names {name} {count} times: once is enough")


def disk_selector_has_known_keys(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """An empty selector takes any disk; a misspelled one stops the install."""
    for node in nodes:
        path = f"nodes.{node.name}.diskSelector"
        # Talos takes the first disk then, whichever that is at this boot.
        if node.disk_selector == {}:
            yield Fault(path, f"selects nothing in particular: set one of {', '.join(_DISK_SELECTOR_KEYS)}")
        for key in node.disk_selector or {}:
            if key not in _DISK_SELECTOR_KEYS:
                yield Fault(f"{path}.{key}", f"unknown key{closest(key, _DISK_SELECTOR_KEYS)}")


def disk_selector_says_something(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Talos leaves an empty value out, so that any disk suits."""
    for node in nodes:
        for key, value in (node.disk_selector or {}).items():
            if not isinstance(value, str) or not value.strip():
                yield Fault(
                    f"nodes.{node.name}.diskSelector.{key}",
                    "must be text that says which disk; put it in quotes",
                )


def network_card_is_one(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Loopback and addresses of groups or of nobody belong to no card."""
    for node in nodes:
        path = f"nodes.{node.name}.interface"
        if node.interface.name == "lo":
            yield Fault(f"{path}.name", "lo is the loopback link: name the network card")
        mac = node.interface.mac
        # IEEE 802: the lowest bit of the first byte marks an address of a group.
        if mac is not None and (int(mac[:2], 16) & 1 or not mac.strip("0:")):
            yield Fault(f"{path}.mac", f"{mac} is an address of a group or of nobody, not of a network card")


RULES = (
    a_control_plane_exists,
    node_names_are_unique,
    macs_are_unique,
    interface_is_named_once,
    disk_is_chosen_once,
    fingerprints_are_unique,
    reinstall_names_nodes,
    disk_selector_has_known_keys,
    disk_selector_says_something,
    network_card_is_one,
)
