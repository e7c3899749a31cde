"""The Cilium release: where the chart comes from and what of Cilium is switched on."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from model.strict import Model
from model.types import ChartRepository, DnsLabel, LinkName


def parse_kube_proxy_replacement(value: object) -> bool | str:
    """Return true, false or the old value strict; false is refused by a rule, with its reason.

    Raises:
        ValueError: on any other value.
    """
    # By type, not by value: to Python 1 equals True, and the chart would get a number.
    if isinstance(value, bool) or value == "strict":
        return value
    raise ValueError("must be true (or strict, as charts before 1.14 called it)")


KubeProxyReplacement = Annotated[
    Literal["strict"] | bool,
    # pydantic would report an error for each branch of the union, which reads like two faults.
    PlainValidator(parse_kube_proxy_replacement, json_schema_input_type=Literal["strict", True]),
]


class Chart(Model):
    """Where the Cilium chart comes from: a repository, or a local directory or archive (air-gapped)."""

    repository: ChartRepository = Field(
        default="https://helm.cilium.io/",
        description="Helm repository (https://…) or OCI registry (oci://…/charts/cilium).",
    )
    path: str | None = Field(
        default=None,
        description="Directory or .tgz, relative to the project; then no repository is asked.",
    )


class Hubble(Model):
    """Flow observability; the UI needs the relay, the relay needs Hubble."""

    enabled: bool = Field(default=False, description="Agents record flows.")
    relay: bool = Field(default=False, description="One service collects the flows of all nodes.")
    ui: bool = Field(default=False, description="The service map in a browser.")
    metrics: tuple[str, ...] = Field(
        default=(),
        description="Metrics of flows for Prometheus: dns, drop, tcp, flow, icmp, httpV2, …",
    )


class BandwidthManager(Model):
    """Limits of the annotation kubernetes.io/egress-bandwidth, enforced by Cilium."""

    enabled: bool = Field(default=False, description="Pods send in time with their limits.")
    bbr: bool = Field(default=False, description="BBR congestion control; needs BPF host routing.")


class GatewayApi(Model):
    """Gateways of Cilium itself; the CRDs of the Gateway API must exist before Cilium starts."""

    enabled: bool = Field(default=False, description="Cilium answers for Gateways of class cilium.")


class NetworkPolicies(Model):
    """Policies that the program creates; without any, every pod may talk to every other."""

    default_deny: tuple[DnsLabel, ...] = Field(
        default=(),
        description="Existing namespaces whose pods may only ask DNS until other policies allow more.",
    )


class Metrics(Model):
    """What Prometheus may ask of Cilium."""

    agent: bool = Field(default=False, description="Every agent on port 9962.")
    operator: bool = Field(default=False, description="The operator on port 9963.")


class Cilium(Model):
    """The Cilium release."""

    chart: Chart = Field(default=Chart(), description="Where the chart comes from.")
    kube_proxy_replacement: KubeProxyReplacement = Field(
        default=True,
        description="true, or the old value strict, which means the same; false is refused.",
    )
    routing_mode: Literal["tunnel", "native"] = Field(
        default="tunnel",
        description="tunnel: works everywhere. native: routed as they are, for nodes of one network.",
    )
    devices: tuple[LinkName, ...] | None = Field(
        default=None,
        description="Links that Cilium works on, the tagged link added; default: what it finds.",
    )
    encryption: Literal["none", "wireguard"] = Field(
        default="none", description="wireguard: traffic between pods of two nodes is encrypted."
    )
    bandwidth_manager: BandwidthManager = Field(
        default=BandwidthManager(), description="Bandwidth limits of pods, off by default."
    )
    gateway_api: GatewayApi = Field(default=GatewayApi(), description="Gateways of Cilium, off by default.")
    network_policies: NetworkPolicies = Field(
        default=NetworkPolicies(), description="Baseline policies, off by default."
    )
    hubble: Hubble = Field(default=Hubble(), description="Flow observability, off by default.")
    metrics: Metrics = Field(default=Metrics(), description="For Prometheus, off by default.")
    operator_replicas: int | None = Field(
        default=None, ge=1, description="Default: 2, or 1 where there is one node."
    )
    values: dict[str, Any] = Field(default={}, description="Helm values merged over those of the program.")
