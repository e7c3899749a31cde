"""Section `ingress` of the stack file: who requests the address of the ingress."""

from typing import Any, Literal

from pydantic import Field

from model.strict import Model
from model.types import (
    Address4,
    ChartRepository,
    DnsLabel,
    ObjectName,
    PlainVersion,
)


class IngressChart(Model):
    """Where the Ingress Nginx chart comes from: a repository, or a local directory or archive."""

    repository: ChartRepository = Field(
        default="https://kubernetes.github.io/ingress-nginx",
        description="Helm repository (https://…) or OCI registry (oci://…/ingress-nginx).",
    )
    path: str | None = Field(
        default=None,
        description="Directory or .tgz, relative to the project; then no repository is asked.",
    )
    version: PlainVersion = Field(
        default="4.14.2", description="Version of the chart; there are few new ones."
    )


GATEWAY_SERVICE = "cilium-gateway-"
"""What Cilium puts before a Gateway's name for its Service (operator/pkg/model/translation/gateway-api)."""


class Ingress(Model):
    """Who asks for the address of the ingress.

    `service` creates a Service alone, `nginx` the Ingress Nginx controller, `gateway` a Gateway of Cilium;
    `external` only reserves the address for a Service that a chart or Flux creates.
    """

    controller: Literal["service", "nginx", "gateway", "external", "none"] = Field(
        default="service",
        description="service: create the Service; nginx: install Ingress Nginx; gateway: create a Gateway of "
        "Cilium; external: only reserve its address; none: no ingress.",
    )
    namespace: DnsLabel = Field(
        default="ingress-nginx", description="Namespace of the Service, or of the Gateway."
    )
    name: DnsLabel = Field(
        default="ingress-nginx-controller", description="Name of the Service, or of the Gateway."
    )
    address: Address4 | None = Field(
        default=None, description="The address it asks for, in loadBalancer.cidr."
    )
    external_traffic_policy: Literal["Cluster", "Local"] = Field(
        default="Cluster",
        description="Local keeps client addresses, announces only where a pod runs; Cilium >= 1.20.2.",
    )
    selector: dict[str, str] = Field(
        default={
            "app.kubernetes.io/name": "ingress-nginx",
            "app.kubernetes.io/instance": "ingress-nginx",
            "app.kubernetes.io/component": "controller",
        },
        description="Labels of the pods behind the Service, for controller service.",
    )
    chart: IngressChart = Field(default=IngressChart(), description="The chart, for controller nginx.")
    values: dict[str, Any] = Field(
        default={}, description="Helm values over those of the program, for controller nginx."
    )
    tls_secret: ObjectName | None = Field(
        default=None,
        description="Secret with the certificate of a listener on 443, for controller gateway.",
    )

    @property
    def service_name(self) -> str:
        """Name of the Service that holds the address: Cilium names that of a Gateway after the Gateway."""
        return GATEWAY_SERVICE + self.name if self.controller == "gateway" else self.name
