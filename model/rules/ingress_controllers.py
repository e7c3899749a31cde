"""Rules of the ingress controllers: what each needs, and which values belong to the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.ingress import GATEWAY_SERVICE
from model.rules.owned_keys import contradictions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.cilium import Cilium
    from model.ingress import Ingress

_SUFFIX = "-controller"  # which the chart puts after its full name
# The API server takes no longer name for a Service.
_LONGEST = 63
_ADDRESS = "set ingress.address instead"
OWNED_VALUES = {
    "fullnameOverride": "follows from ingress.name",
    "nameOverride": "follows from ingress.name",
    "controller.name": "follows from ingress.name",
    "controller.service.enabled": "the Service asks for the address",
    "controller.service.type": "the Service asks for the address",
    "controller.service.loadBalancerIP": _ADDRESS,
    "controller.service.loadBalancerClass": "Cilium would not give it an address",
    "controller.service.annotations.lbipam.cilium.io/ips": _ADDRESS,
    "controller.service.annotations.io.cilium/lb-ipam-ips": _ADDRESS,
    "controller.service.externalTrafficPolicy": "set ingress.externalTrafficPolicy instead",
}


def gateway_is_possible(ingress: Ingress, cilium: Cilium) -> Iterator[Fault]:
    """Only Cilium with the Gateway API makes something of a Gateway."""
    if ingress.controller != "gateway":
        return
    if not cilium.gateway_api.enabled:
        yield Fault("ingress.controller", "gateway needs Cilium's: set cilium.gatewayApi.enabled to true")
    if ingress.external_traffic_policy == "Local":
        yield Fault(
            "ingress.externalTrafficPolicy",
            "Local is never announced for a Gateway, which has no pod on any node: use Cluster",
        )
    if len(GATEWAY_SERVICE + ingress.name) > _LONGEST:
        most = _LONGEST - len(GATEWAY_SERVICE)
        yield Fault(
            "ingress.name", f"is too long for a Gateway: Cilium would shorten it; at most {most} characters"
        )


def nginx_service_has_its_name(ingress: Ingress) -> Iterator[Fault]:
    """The chart names the Service after the controller."""
    if ingress.controller == "nginx" and not ingress.name.endswith(_SUFFIX):
        yield Fault("ingress.name", f"the chart's Service ends with {_SUFFIX}: use {ingress.name}{_SUFFIX}")


def values_and_secret_have_a_use(ingress: Ingress) -> Iterator[Fault]:
    """What belongs to another controller would silently do nothing."""
    if ingress.values and ingress.controller != "nginx":
        yield Fault("ingress.values", "are for controller nginx: remove them, or set ingress.controller")
    if ingress.tls_secret is not None and ingress.controller != "gateway":
        yield Fault("ingress.tlsSecret", "is for controller gateway: remove it, or set ingress.controller")


def values_of_nginx_leave_the_programs_alone(ingress: Ingress) -> Iterator[Fault]:
    """Values of the user extend those of the program."""
    for path, reason in contradictions(ingress.values, OWNED_VALUES):
        yield Fault(f"ingress.values.{path}", f"belongs to this program: {reason}")


def nginx_chart_path_is_relative(ingress: Ingress) -> Iterator[Fault]:
    """A path of one machine would differ on every other one."""
    path = ingress.chart.path
    if path is not None and (not path or path.startswith(("/", "~")) or ".." in path.split("/")):
        yield Fault(
            "ingress.chart.path", "must be a path inside the project, for example charts/ingress-nginx"
        )


RULES = (
    gateway_is_possible,
    nginx_service_has_its_name,
    values_and_secret_have_a_use,
    values_of_nginx_leave_the_programs_alone,
    nginx_chart_path_is_relative,
)
