"""What each step gets, typed on both sides: `components` write it, `steps` read it.

A class for each step. Its fields are the variables of the step's environment, in capitals there, and its
`SECRETS` the names in the JSON object on stdin. What `components` add only makes a step run again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from steps.environment import Numbered, Peers, StepInputs, Words


@dataclass(frozen=True, slots=True, kw_only=True)
class RangesInputs(StepInputs):
    """Ranges that a live cluster cannot change."""

    STEP = "network-pinned"
    RUNS = ("steps.pinned_ranges", "pinned")

    pod_cidr: str
    node_mask: str
    service_cidr: str
    ipam_mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRangesInputs(RangesInputs):
    """The same, when they changed."""

    STEP = "network-kept"
    RUNS = ("steps.pinned_ranges", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsInputs(StepInputs):
    """A new cluster's secrets bundle."""

    STEP = "secrets"
    RUNS = ("steps.generate_config", "secrets_bundle")

    talos_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TalosconfigInputs(StepInputs):
    """The administrator's talosconfig."""

    STEP = "talosconfig"
    RUNS = ("steps.generate_config", "talosconfig")
    SECRETS = frozenset({"secrets"})

    cluster_name: str
    endpoint: str
    talos_version: str
    control_planes: Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineConfigInputs(StepInputs):
    """A node's machine config: the program's patch, then the user's in the order in which they apply."""

    STEP = "machine-config"
    RUNS = ("steps.generate_config", "machine_config")
    SECRETS = frozenset({"secrets"})

    cluster_name: str
    endpoint: str
    role: str
    talos_version: str
    kubernetes_version: str
    install_image: str
    node: str
    patch: str
    user_patches: Numbered = field(default=(), metadata={"variable": "PATCH"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightInputs(StepInputs):
    """The machines, a JSON object in a line each, and the nodes that may be installed again."""

    STEP = "preflight"
    RUNS = ("steps.preflight", "preflight")
    SECRETS = frozenset({"talosconfig"})

    talos_version: str
    machines: str
    reinstall: Words = ()
    reachable_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyInputs(StepInputs):
    """A node and how it is reached; `reinstall` is its name if its machine may be another or a wiped one."""

    STEP = "apply"
    RUNS = ("steps.apply", "apply")
    SECRETS = frozenset({"machineConfig", "talosconfig"})

    cluster_name: str
    node: str
    address: str
    maintenance_address: str
    apply_mode: str
    reachable_timeout: float
    fingerprint: str | None = None
    mac: str | None = None
    reinstall: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesInputs(StepInputs):
    """The set of nodes, a line each; `configs` is a JSON object of their machine configs."""

    STEP = "nodes"
    RUNS = ("steps.nodes.reconcile", "reconcile")
    SECRETS = frozenset({"configs", "kubeconfig", "talosconfig"})

    nodes: str
    apply_mode: str
    reset_on_destroy: str
    acknowledge: Words = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesEndInputs(NodesInputs):
    """The same, when the stack is destroyed."""

    STEP = "nodes-end"
    RUNS = ("steps.nodes.end", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapInputs(StepInputs):
    """Where etcd starts, once."""

    STEP = "bootstrap"
    RUNS = ("steps.bootstrap", "bootstrap")
    SECRETS = frozenset({"talosconfig"})

    control_planes: Peers
    bootstrap_node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdInputs(StepInputs):
    """The members that etcd must have."""

    STEP = "etcd"
    RUNS = ("steps.etcd", "etcd")
    SECRETS = frozenset({"talosconfig"})

    control_planes: Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeconfigInputs(StepInputs):
    """Who may issue a kubeconfig."""

    STEP = "kubeconfig"
    RUNS = ("steps.issue_kubeconfig", "kubeconfig")
    SECRETS = frozenset({"talosconfig"})

    control_planes: Peers


@dataclass(frozen=True, slots=True, kw_only=True)
class TalosHealthInputs(StepInputs):
    """The nodes that Talos checks."""

    STEP = "talos-health"
    RUNS = ("steps.talos_health", "talos_health")
    SECRETS = frozenset({"talosconfig"})

    control_planes: Peers
    workers: Peers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiReadyInputs(StepInputs):
    """Where the Kubernetes API must answer."""

    STEP = "api-ready"
    RUNS = ("steps.kubernetes_gates", "api_ready")
    SECRETS = frozenset({"kubeconfig"})

    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CiliumReadyInputs(StepInputs):
    """Where Cilium is rolled out."""

    STEP = "cilium-ready"
    RUNS = ("steps.cilium_ready", "cilium_ready")
    SECRETS = frozenset({"kubeconfig"})

    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdsInputs(StepInputs):
    """Kinds that must be served; `check` says what to look at when they are not."""

    STEP = "crds-established"
    RUNS = ("steps.kubernetes_gates", "crds_established")
    SECRETS = frozenset({"kubeconfig"})

    crds: Words
    check: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodesReadyInputs(StepInputs):
    """Nodes that must be Ready."""

    STEP = "nodes-ready"
    RUNS = ("steps.kubernetes_gates", "nodes_ready")
    SECRETS = frozenset({"kubeconfig"})

    nodes: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressesKeptInputs(StepInputs):
    """The pools that are wanted, a line each, and what the program's own Services will request."""

    STEP = "addresses-kept"
    RUNS = ("steps.address_guard", "addresses_kept")
    SECRETS = frozenset({"kubeconfig"})

    pools: str
    requests: Words = ()
    acknowledge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolValidInputs(StepInputs):
    """Pools that must be without conflict."""

    STEP = "pool-valid"
    RUNS = ("steps.load_balancer_gates", "pool_valid")
    SECRETS = frozenset({"kubeconfig"})

    pools: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressAssignedInputs(StepInputs):
    """A Service, as namespace/name, and the address that it must hold."""

    STEP = "address-assigned"
    RUNS = ("steps.load_balancer_gates", "address_assigned")
    SECRETS = frozenset({"kubeconfig"})

    service: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseHeldInputs(StepInputs):
    """A Service, as namespace/name, that a node must announce."""

    STEP = "lease-held"
    RUNS = ("steps.load_balancer_gates", "lease_held")
    SECRETS = frozenset({"kubeconfig"})

    service: str


ALL: tuple[type[StepInputs], ...] = (
    RangesInputs,
    KeptRangesInputs,
    SecretsInputs,
    TalosconfigInputs,
    MachineConfigInputs,
    PreflightInputs,
    ApplyInputs,
    BootstrapInputs,
    KubeconfigInputs,
    NodesInputs,
    EtcdInputs,
    ApiReadyInputs,
    TalosHealthInputs,
    CiliumReadyInputs,
    CrdsInputs,
    NodesReadyInputs,
    AddressesKeptInputs,
    PoolValidInputs,
    AddressAssignedInputs,
    LeaseHeldInputs,
    NodesEndInputs,
)
"""Every step, in the order in which a run needs them."""
