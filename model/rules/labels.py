"""Rules of labels and selectors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model.faults import Fault
from model.nodes import announcers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model.ingress import Ingress
    from model.load_balancer import LoadBalancer
    from model.nodes import Node

_NAME = r"[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-.a-z0-9]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_OF_KUBELETS = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "kubernetes.io/arch",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
)


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
        for key in node.given_labels:
            if key in node.labels:
                yield Fault(
                    f"nodes.{node.name}.labels.{key}", "remove it: the node gets this label by itself"
                )


def workers_may_set_their_labels(nodes: tuple[Node, ...]) -> Iterator[Fault]:
    """Talos labels a worker in its kubelet's name, and the API server limits what that may say.

    Source: the NodeRestriction admission plugin of Kubernetes, and node_apply.go of Talos.
    """
    for node in nodes:
        for key in node.labels:
            space, _, _ = key.rpartition("/")
            own = key in node.given_labels or _kubelet_may_set(key, space)
            if not node.is_control_plane and _is_kubernetes(space) and not own:
                yield Fault(
                    f"nodes.{node.name}.labels.{key}",
                    "no worker may carry it (NodeRestriction): choose a key outside kubernetes.io and k8s.io",
                )


def _is_kubernetes(space: str) -> bool:
    # The dot in front keeps `mykubernetes.io` out, which is a domain like any other.
    return f".{space}".endswith((".kubernetes.io", ".k8s.io"))


def _kubelet_may_set(key: str, space: str) -> bool:
    return key in _OF_KUBELETS or f".{space}".endswith((".kubelet.kubernetes.io", ".node.kubernetes.io"))


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
    workers_may_set_their_labels,
    policy_selects_a_node,
    ingress_selects_pods,
)
