"""The Ingress Nginx release: a chart without upstream, with the address asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.cilium.values import merge
from components.ingress.service import REQUEST

if TYPE_CHECKING:
    from model import Ingress

CHART = "ingress-nginx"
_SUFFIX = "-controller"


def release_name(ingress: Ingress) -> str:
    """Return the name of the release; the chart's Service is called that plus `-controller`."""
    return ingress.name.removesuffix(_SUFFIX)


def nginx_values(ingress: Ingress) -> dict[str, Any]:
    """Return the values of the release: the program's, with the user's merged over them."""
    service = {
        "annotations": {REQUEST: str(ingress.address)},
        "externalTrafficPolicy": ingress.external_traffic_policy,
    }
    own = {"fullnameOverride": release_name(ingress), "controller": {"service": service}}
    return merge(own, ingress.values)
