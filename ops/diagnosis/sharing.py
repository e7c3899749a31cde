"""When two Services may have one address: the rules of Cilium's LB-IPAM (`operator/pkg/lbipam`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.facts import Service


def clash(one: Service, other: Service) -> str:
    """Return the first rule that keeps two Services from sharing an address, or an empty text."""
    return _keys(one, other) or _namespaces(one, other) or _ports(one, other) or _policies(one, other)


def _keys(one: Service, other: Service) -> str:
    if one.sharing_key == other.sharing_key:
        return ""
    return f"sharing keys differ ({one.sharing_key or 'none'} and {other.sharing_key or 'none'})"


def _namespaces(one: Service, other: Service) -> str:
    if one.namespace == other.namespace or (_admits(one, other) and _admits(other, one)):
        return ""
    return "they are in different namespaces and do not both name the other in sharing-cross-namespace"


def _admits(one: Service, other: Service) -> bool:
    return bool({"*", other.namespace} & set(one.sharing_namespaces))


def _ports(one: Service, other: Service) -> str:
    both = sorted(set(one.ports) & set(other.ports))
    return f"both have port {both[0]}" if both else ""


def _policies(one: Service, other: Service) -> str:
    if one.local != other.local:
        return "one has externalTrafficPolicy Local, the other Cluster"
    same = set(one.pods.requirements) == set(other.pods.requirements) and one.pods.requirements
    return "" if same or not one.local else "with externalTrafficPolicy Local both must select the same pods"
