"""Machines in Talos maintenance mode become a cluster whose Services have addresses on the LAN."""

import pulumi
import pulumi_command
from pulumi import ResourceOptions

import components
import config

loaded = config.load()
cluster = loaded.cluster
command = pulumi_command.Provider("command")

talos_args = components.TalosClusterArgs(cluster=cluster, secrets=loaded.talos_secrets)
talos = components.TalosCluster(cluster.name, talos_args, ResourceOptions(providers=[command]))
kubernetes = components.kubernetes_provider(cluster, talos)


def after(*parts: pulumi.Resource) -> ResourceOptions:
    """Return the options of a component that needs these, complete."""
    return ResourceOptions(providers=[command, kubernetes], depends_on=list(parts))


inside = components.KubernetesArgs(cluster=cluster, kubeconfig=talos.kubeconfig)
cilium = components.CiliumRelease("cilium", inside, after(*talos.serving))
load_balancer = components.LoadBalancerPool("load-balancer", inside, after(talos, cilium))
ingress = components.IngressService("ingress", inside, after(cilium, load_balancer))
components.NetworkPolicySet("network-policies", inside, after(cilium, ingress))

pulumi.export("kubeconfig", talos.kubeconfig)
pulumi.export("talosconfig", talos.talosconfig)
for key, value in components.stack_outputs(cluster).items():
    pulumi.export(key, value)
