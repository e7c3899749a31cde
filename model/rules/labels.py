"""Rules of labels and selectors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model.faults import Fault
from model.nodes import announcers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model.kubernetes import Ingress, LoadBalancer
    from model.nodes import Node

_NAME = r"[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-.a-z0-9]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_SET_BY_KUBERNETES = ("kubernetes.io/hostname", "kubernetes.io/os", "node-role.kubernetes.io/control-plane")


def labels_are_well_formed(
    nodes: tuple[Node, ...], load_balancer: LoadBalancer, ingress: Ingress
) -> Iterator[Fault]:
    """The API server refuses any other label, and a selector with one."""
    for node in nodes:
        yield from _malformed(f"nodes.{node.name}.labels", node.labels)
    yield from _malformed("loadBalancer.nodeSelector", load_balancer.node_selector or {})
    yield from _malformed("ingress.selector", ingress.selector)


def labels_are_not_those_of_kubernetes(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Some labels follow from what the node is."""
    for node in nodes:
        for key in _SET_BY_KUBERNETES:
            if key in node.labels:
                yield Fault(
                    f"nodes.{node.name}.labels.{key}", "remove it: the node gets this label by itself"
                )


def policy_selects_a_node(load_balancer: LoadBalancer, all_nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """A policy without a node announces nothing, and says nothing."""
    if not announcers(all_nodes, load_balancer.node_selector):
        wanted = ", ".join(f"{key}={value}" for key, value in (load_balancer.node_selector or {}).items())
        yield Fault(
            "loadBalancer.nodeSelector",
            f"no node has the labels {wanted}: nothing would announce the pool; "
            "set them under labels of a node, or select others",
        )


def ingress_selects_pods(ingress: Ingress) -> Iterator[Fault]:
    """A Service without a selector has no pods behind it."""
    if ingress.controller == "service" and not ingress.selector:
        yield Fault("ingress.selector", "set the labels of the pods behind the Service")


def _malformed(path: str, labels: Mapping[str, str]) -> Iterator[Fault]:
    for key, value in labels.items():
        if not _KEY.fullmatch(key):
            yield Fault(
                path, f"{key!r} is not the key of a label: [prefix/]name, the name at most 63 characters"
            )
        elif not _VALUE.fullmatch(value):
            yield Fault(
                f"{path}.{key}",
                "is not the value of a label: at most 63 letters, digits, dots, dashes or underscores",
            )


RULES = (
    labels_are_well_formed,
    labels_are_not_those_of_kubernetes,
    policy_selects_a_node,
    ingress_selects_pods,
)
