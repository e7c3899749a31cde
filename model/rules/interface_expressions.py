"""Rules of the interface expressions of the L2 policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model.faults import Fault
from model.nodes import announcers
from model.re2 import matches, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.load_balancer import LoadBalancer
    from model.network import Lan
    from model.nodes import Node


def expressions_are_anchored_re2(load_balancer: LoadBalancer) -> Iterator[Fault]:
    """Cilium takes Go's regular expressions and only logs what is wrong with them."""
    for index, expression in enumerate(load_balancer.interfaces or ()):
        reason = refusal(expression)
        if reason:
            yield Fault(f"loadBalancer.interfaces.{index}", reason)


def expressions_match_the_link(
    lan: Lan, load_balancer: LoadBalancer, all_nodes: tuple[Node, ...]
) -> Iterator[Fault]:
    """A policy that matches no link of a node announces nothing there, and says nothing."""
    expressions = load_balancer.interfaces
    # Those faults have lines of their own; matching a broken expression would fail here.
    if not expressions or any(refusal(expression) for expression in expressions):
        return
    for node in announcers(all_nodes, load_balancer.node_selector):
        link = lan.link if lan.tagged else node.interface.name
        if link is not None and not any(matches(expression, link) for expression in expressions):
            yield Fault(
                "loadBalancer.interfaces",
                f"no expression matches {link}, the LAN link of node {node.name}: add ^{re.escape(link)}$",
            )


def announcing_link_has_a_known_name(
    lan: Lan, load_balancer: LoadBalancer, all_nodes: tuple[Node, ...]
) -> Iterator[Fault]:
    """Talos gives a card found by its MAC address an alias; Cilium matches kernel names only."""
    if lan.tagged or load_balancer.interfaces is not None:
        return
    for node in announcers(all_nodes, load_balancer.node_selector):
        if node.interface.name is None and node.interface.mac is not None:
            yield Fault(
                f"nodes.{node.name}.interface",
                "the kernel name of this link is not known: a MAC address becomes a Talos link alias, and "
                "Cilium matches only kernel names; set name instead of mac, or loadBalancer.interfaces",
            )


RULES = (expressions_are_anchored_re2, expressions_match_the_link, announcing_link_has_a_known_name)
