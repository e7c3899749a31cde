"""NetworkPolicies: namespaces whose pods may only ask DNS until somebody allows more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.component import Component, KubernetesArgs
from components.step_command import Step
from steps.inputs import CrdsInputs

if TYPE_CHECKING:
    import pulumi

CRD = "ciliumnetworkpolicies.cilium.io"
DNS_LABELS = {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}


class NetworkPolicySet(Component):
    """One policy for each configured namespace, made when the API server knows its kind; empty by default."""

    def __init__(self, name: str, args: KubernetesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("homelab:cilium:NetworkPolicies", name, None, opts)
        namespaces = sorted(args.cluster.cilium.network_policies.default_deny)
        if namespaces:
            # The operator registers the kind some seconds after the release; earlier the API server refuses
            # it.
            kind = self.run("crds", policy_kind_established(args))
            for namespace in namespaces:
                self.create(f"default-deny-{namespace}", default_deny(namespace), [kind])
        self.register_outputs({"defaultDeny": namespaces})


def policy_kind_established(args: KubernetesArgs) -> Step:
    """Wait until the API server knows the kind of the policies."""
    return Step(
        inputs=CrdsInputs(crds=(CRD,)),
        timeout=args.cluster.timeouts.crds,
        secrets=args.secrets,
    )


def default_deny(namespace: str) -> dict[str, Any]:
    """Return the policy of a namespace: nothing comes in, only questions to the cluster's DNS go out.

    Probes of the kubelet pass: Cilium lets a node reach its own pods whatever the policies say.
    """
    ports = [{"port": "53", "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": namespace},
        "spec": {
            "endpointSelector": {},
            "ingress": [{}],  # one rule that allows nobody: without any rule the direction stays open
            "egress": [
                {"toEndpoints": [{"matchLabels": DNS_LABELS}], "toPorts": [{"ports": ports}]},
            ],
        },
    }
