"""Rules of patches that change a link of the program: they may extend it, but not cut the node off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model.faults import Fault
from model.json_document import entries
from model.rules.talos_patches import placed, placed_at_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model.network import Lan
    from model.nodes import Node
    from model.talos import Talos

_UP = {"up": (True, "a link that is down cuts the node off")}
_OF_NODE = "set interface of the node instead"
_BY_MAC = "uplink"  # the alias of a card that is chosen by its MAC address

Owned = dict[str, tuple[object, str]]


def links_of_the_program_stay(talos: Talos, nodes: tuple[Node, ...], lan: Lan) -> Iterator[Fault]:
    """What a link needs to carry the node's addresses is the program's, in whichever patch it stands."""
    owned = _owned(nodes, lan)
    for path, patch in (*placed(talos), *placed_at_nodes(nodes)):
        # As text: a patch may hold anything here, also what cannot be a key.
        fields = owned.get((str(patch.get("kind")), str(patch.get("name"))))
        if fields is not None:
            yield from _changed(path, patch, fields)
            yield from _deleted(path, patch)


def _owned(nodes: tuple[Node, ...], lan: Lan) -> Mapping[tuple[str, str], Owned]:
    """Return kind and name of each link of the program, with the values that its fields keep."""
    owned: dict[tuple[str, str], Owned] = {}
    for node in nodes:
        owned["LinkConfig", node.interface.name or _BY_MAC] = dict(_UP)
        if node.interface.name is None:
            owned["LinkAliasConfig", _BY_MAC] = {"selector": (None, _OF_NODE)}
    if lan.tagged:
        vlan = {
            "vlanID": (lan.vlan_id, "set lan.vlanId instead"),
            "parent": (None, _OF_NODE),
            "vlanMode": ("802.1q", "clients of the LAN use 802.1Q"),
        }
        owned["VLANConfig", lan.link] = {**_UP, **vlan}
    return owned


def _changed(path: str, patch: Mapping[str, Any], fields: Owned) -> Iterator[Fault]:
    for field, (kept, reason) in fields.items():
        if field in patch and (kept is None or patch[field] != kept):
            yield Fault(f"{path}.{field}", f"belongs to this program: {reason}")


def _deleted(path: str, patch: Mapping[str, Any]) -> Iterator[Fault]:
    # Talos obeys `$patch` at any depth; at the root it deletes the document, which has a rule of its own.
    for place, value in entries(patch):
        if place and isinstance(value, dict) and "$patch" in value:
            inside = ".".join(map(str, place))
            yield Fault(
                f"{path}.{inside}", "deletes or replaces what this program writes: a patch may only extend it"
            )


RULES = (links_of_the_program_stay,)
