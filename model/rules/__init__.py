"""The rules that bind the parts of a stack config to each other.

A rule is a pure function that names the parts it needs as its parameters and yields faults.
It is asked only if all of them have their shape (those with a default may be absent), so that
one mistyped key hides as few other faults as possible. `nodes` are the nodes that have their
shape, `all_nodes` exists only if all have.
"""

from __future__ import annotations

from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from model.rules import (
    chart_keys,
    cilium_modes,
    cilium_values,
    cluster_ranges,
    dhcp,
    endpoints,
    host_addresses,
    ingress_controllers,
    interface_expressions,
    labels,
    lease_times,
    link_patches,
    load_balancer_pool,
    machines,
    node_addresses,
    services,
    talos_patches,
    version_matrix,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from model.faults import Fault

    Rule = Callable[..., Iterable[Fault]]

# Ranges and machines come first: faults further down are often consequences of theirs.
RULES: tuple[Rule, ...] = (
    *cluster_ranges.RULES,
    *machines.RULES,
    *node_addresses.RULES,
    *endpoints.RULES,
    *host_addresses.RULES,
    *interface_expressions.RULES,
    *labels.RULES,
    *load_balancer_pool.RULES,
    *dhcp.RULES,
    *services.RULES,
    *ingress_controllers.RULES,
    *lease_times.RULES,
    *version_matrix.RULES,
    *cilium_values.RULES,
    *chart_keys.RULES,
    *cilium_modes.RULES,
    *talos_patches.RULES,
    *link_patches.RULES,
)


def broken_rules(parts: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the faults of every rule whose parts are all there."""
    for rule in RULES:
        yield from asked(rule, parts)


def asked(rule: Rule, parts: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the faults of one rule, none if a part that it needs is missing."""
    # By name, so that each rule says itself what it needs and no list beside it can disagree.
    wanted = signature(rule).parameters
    needed = {name for name, parameter in wanted.items() if parameter.default is Parameter.empty}
    if needed <= parts.keys():
        yield from rule(**{name: parts[name] for name in wanted if name in parts})
