"""Turns objects of the Kubernetes API and of Talos into facts. Pure."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Interface
from typing import TYPE_CHECKING, Any

from clients.cilium import kinds
from clients.cilium.lb_ipam import held_addresses, lease_lacks, pool_lacks
from clients.kubernetes.api import condition, is_true
from ops.facts import (
    Block,
    FieldEntry,
    KubernetesNode,
    Lease,
    Link,
    Policy,
    Pool,
    Port,
    Requirement,
    Selector,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Object = dict[str, Any]

_TALOS_IMAGE = re.compile(r"Talos \((v\S+)\)")
_SERVICE_OF_SLICE = "kubernetes.io/service-name"


def node(item: Object) -> KubernetesNode:
    """Return a Node."""
    metadata, info = item["metadata"], (item.get("status") or {}).get("nodeInfo") or {}
    image = _TALOS_IMAGE.fullmatch(info.get("osImage", ""))
    return KubernetesNode(
        metadata["name"],
        metadata.get("labels") or {},
        ready=is_true(item, "Ready"),
        talos=image[1] if image else "",
        kubernetes=info.get("kubeletVersion", ""),
    )


def selector(value: Mapping[str, Any] | None) -> Selector:
    """Return a label selector; a missing one matches everything."""
    given = value or {}
    labels = [Requirement(key, "In", (text,)) for key, text in (given.get("matchLabels") or {}).items()]
    expressions = [
        Requirement(entry["key"], entry["operator"], tuple(entry.get("values") or ()))
        for entry in given.get("matchExpressions") or ()
    ]
    return Selector((*labels, *expressions))


def pool(item: Object) -> Pool:
    """Return a pool with the addresses that Cilium may really give away."""
    name, spec = item["metadata"]["name"], item.get("spec") or {}
    # Cilium gives the ends away unless the pool says No.
    reserve = spec.get("allowFirstLastIPs") == "No"
    blocks = (block(entry, reserve_ends=reserve) for entry in spec.get("blocks") or ())
    counted = condition(item, kinds.POOL_AVAILABLE)
    return Pool(
        name=name,
        blocks=tuple(found for found in blocks if found is not None),
        selector=selector(spec.get("serviceSelector")),
        disabled=bool(spec.get("disabled")),
        lacks=pool_lacks(name, item),
        available=_number(counted.get("message", "")) if counted else None,
        fields=field_entries(item),
    )


def block(entry: Mapping[str, str], *, reserve_ends: bool) -> Block | None:
    """Return a block of a pool, None for what is not IPv4."""
    ends = kinds.block_ends(entry, reserve_ends=reserve_ends)
    return None if ends is None else Block(*ends)


def policy(item: Object) -> Policy:
    """Return an L2 announcement policy; `loadBalancerIPs` is off unless it says otherwise."""
    spec = item.get("spec") or {}
    bad = [
        found
        for kind in kinds.POLICY_REFUSED
        if (found := condition(item, kind)) and found.get("status") == "True"
    ]
    return Policy(
        name=item["metadata"]["name"],
        interfaces=tuple(spec.get("interfaces") or ()),
        nodes=selector(spec.get("nodeSelector")),
        services=selector(spec.get("serviceSelector")),
        load_balancer_ips=bool(spec.get("loadBalancerIPs")),
        faults=tuple(f"{found['type']}: {found.get('message', '')}" for found in bad),
        fields=field_entries(item),
    )


def field_entries(item: Object) -> tuple[FieldEntry, ...]:
    """Return who holds fields of an object, its status aside."""
    entries = enumerate(item["metadata"].get("managedFields") or ())
    # Cilium writes the status of pools and policies, and that makes it no owner.
    return tuple(
        FieldEntry(index, entry["manager"]) for index, entry in entries if not entry.get("subresource")
    )


def service(item: Object, slices: Sequence[Object]) -> Service:
    """Return a LoadBalancer Service with what its EndpointSlices say."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    said = condition(item, kinds.REQUEST_SATISFIED)
    ready = list(_ready_endpoints(slices, metadata["namespace"], metadata["name"]))
    return Service(
        namespace=metadata["namespace"],
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        requested=_requested(annotations, spec),
        addresses=tuple(_addresses(held_addresses(item))),
        reason=str(said.get("reason", "")) if said and said.get("status") != "True" else "",
        judged=said is not None,
        load_balancer_class=spec.get("loadBalancerClass") or "",
        sharing_key=annotations.get(kinds.SHARING_KEY, ""),
        sharing_namespaces=tuple(_words(annotations.get(kinds.SHARING_NAMESPACES, ""))),
        local=spec.get("externalTrafficPolicy") == "Local",
        pods=selector({"matchLabels": spec.get("selector") or {}}),
        ports=tuple(Port(port["port"], port.get("protocol", "TCP")) for port in spec.get("ports") or ()),
        backend_nodes=frozenset(end["nodeName"] for end in ready if end.get("nodeName")),
        backend_addresses=frozenset(address for end in ready for address in end.get("addresses") or ()),
    )


def _ready_endpoints(slices: Sequence[Object], namespace: str, name: str) -> Iterator[Object]:
    for item in slices:
        metadata = item["metadata"]
        if (metadata["namespace"], (metadata.get("labels") or {}).get(_SERVICE_OF_SLICE)) != (
            namespace,
            name,
        ):
            continue
        for end in item.get("endpoints") or ():
            # The Kubernetes API says that an endpoint without this condition counts as ready.
            if (end.get("conditions") or {}).get("ready", True):
                yield end


def _requested(annotations: Mapping[str, str], spec: Mapping[str, Any]) -> tuple[IPv4Address, ...]:
    texts = [word for key in kinds.REQUEST_ANNOTATIONS for word in _words(annotations.get(key, ""))]
    return tuple(dict.fromkeys(_addresses([*texts, spec.get("loadBalancerIP") or ""])))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _addresses(texts: Iterable[str]) -> Iterator[IPv4Address]:
    for text in texts:
        try:
            yield IPv4Address(text)
        except AddressValueError:
            continue  # IPv6, or nothing


def lease(name: str, item: Object | None, server_date: str) -> Lease:
    """Return an announcement lease; `server_date` is the API server's own time."""
    spec = (item or {}).get("spec") or {}
    return Lease(spec.get("holderIdentity") or "", lease_lacks(name, item, server_date))


def links(link_items: Sequence[Object], address_items: Sequence[Object]) -> tuple[Link, ...]:
    """Return the links of a node out of Talos' resources `links` and `addresses`."""
    found: dict[str, list[IPv4Interface]] = {item["metadata"]["id"]: [] for item in link_items}
    # Drivers that do not report a state leave it at unknown, and such a link may work.
    up = {
        item["metadata"]["id"]: item["spec"].get("operationalState") in {"up", "unknown"}
        for item in link_items
    }
    for item in address_items:
        text, link = item["spec"].get("address", ""), item["spec"].get("linkName", "")
        # The pools are IPv4, and an IPv6 address proves nothing about the LAN.
        if link in found and ":" not in text:
            found[link].append(IPv4Interface(text))
    return tuple(Link(name, tuple(found[name]), up=up[name]) for name in sorted(found))


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
