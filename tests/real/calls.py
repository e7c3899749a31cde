"""The calls of the contract, in the order in which a cluster comes to life."""

from __future__ import annotations

from dataclasses import dataclass

from clients.talos import talosctl
from clients.talos.talosctl import Access, DataArg, MachineConfig
from components.talos.machine_config import install_image, program_patch, user_patches
from tests.real.contract import Play, Target, authenticated, generate, insecure, succeeded

UNPARSABLE = "this is no machine config\n"
NEEDS_REBOOT = "machine: {sysfs: {devices.system.cpu.cpu0.cpufreq.scaling_governor: performance}}\n"
"""A patch that Talos takes over only at a reboot."""


@dataclass(frozen=True)
class Files:
    """What a cluster is made of: machine configs by node, the administrator's talosconfig, a stranger's."""

    configs: dict[str, str]
    talosconfig: str
    stranger: str


def files(target: Target) -> Files:
    """Generate everything as the program's steps do."""
    cluster = target.cluster
    endpoint, version = cluster.endpoint.url, cluster.versions.talos
    secrets, others = (generate(target, talosctl.gen_secrets(version)) for _ in range(2))

    def config(node_secrets: str) -> str:
        return generate(target, talosctl.gen_talosconfig(cluster.name, endpoint, version, node_secrets))

    configs = {}
    for node in cluster.nodes:
        wanted = MachineConfig(
            cluster=cluster.name,
            endpoint=endpoint,
            role=node.role,
            talos_version=version,
            kubernetes_version=cluster.versions.kubernetes,
            install_image=install_image(cluster),
            patches=(program_patch(cluster, node), *user_patches(cluster, node)),
            secrets=secrets,
        )
        configs[node.name] = generate(target, talosctl.gen_machine_config(wanted))
    return Files(configs, config(secrets), config(others))


def play(target: Target) -> Play:
    """Run every call on fresh nodes and return what was seen."""
    made = Play(target)
    parts = files(target)
    maintenance(made, parts)
    configured(made, parts)
    bootstrapped(made, parts)
    return made


def maintenance(made: Play, parts: Files) -> None:
    """Machines without a configuration: what they tell everybody, and what they refuse."""
    target, node = made.target, made.target.cluster.control_planes[0]
    target.until(f"{node.name} answers", insecure(node, "version"), succeeded)
    made.note("maintenance: version", insecure(node, "version"))
    made.note("maintenance: machinestatus", insecure(node, "get", "machinestatus", "--output=json"))
    made.note("maintenance: links", insecure(node, "get", "links", "eth0", "--output=json"))
    made.note("maintenance: unknown resource", insecure(node, "get", "nosuchthing"))
    address = str(node.maintenance_address or node.address)
    access = Access(node.name, address, parts.talosconfig)
    made.note("maintenance: authenticated call", talosctl.get(access, "machinestatus"))
    made.note("maintenance: apply no config", talosctl.apply_in_maintenance(address, UNPARSABLE))
    for one in target.cluster.nodes:
        where = str(one.maintenance_address or one.address)
        made.note(
            f"maintenance: apply ({one.role})", talosctl.apply_in_maintenance(where, parts.configs[one.name])
        )


def access_to(made: Play, parts: Files, index: int = 0) -> Access:
    """Return the administrator's access to a control plane (0) or the first worker (1)."""
    cluster = made.target.cluster
    node = (cluster.control_planes[0], cluster.workers[0])[index]
    return Access(node.name, str(node.address), parts.talosconfig)


def configured(made: Play, parts: Files) -> None:
    """Nodes of the cluster before its etcd exists."""
    access, worker = access_to(made, parts), access_to(made, parts, 1)
    node = made.target.cluster.control_planes[0]
    made.target.until(f"{access.name} is ours", authenticated(access, "version"), succeeded)
    status = talosctl.get(access, "machinestatus")
    made.target.until("it waits for bootstrap", status, lambda answer: '"stage": "booting"' in answer.stdout)
    direct = insecure(node.model_copy(update={"maintenance_address": None}), "version")
    made.note("configured: insecure call", direct)
    stranger = Access(access.name, access.address, parts.stranger)
    made.note("configured: stranger's certificate", talosctl.get(stranger, "machinestatus"))
    made.note("configured: version", authenticated(access, "version"))
    made.note("configured: machinestatus", talosctl.get(access, "machinestatus"))
    made.note("configured: etcd service", talosctl.get(access, "services", "etcd"))
    made.note("configured: no etcdmember", talosctl.get(access, "etcdmember"))
    made.note("configured: etcd members", talosctl.etcd_members(access))
    made.note("configured: kubeconfig", talosctl.kubeconfig(access))
    # A worker gets its certificate from the control planes at the endpoint: a VIP exists after bootstrap.
    made.note("configured: worker before bootstrap", authenticated(worker, "version"))
    made.note("configured: unknown resource", talosctl.get(access, "nosuchthing"))
    config = parts.configs[access.name]
    made.note("configured: same config again", talosctl.apply(access, config, "no-reboot"))
    dry = (*("apply-config", "--dry-run"), DataArg("--file=", "machineConfig"))
    made.note("configured: dry run", authenticated(access, *dry, secrets={"machineConfig": config}))
    made.note("configured: apply no config", talosctl.apply(access, UNPARSABLE, "no-reboot"))


def bootstrapped(made: Play, parts: Files) -> None:
    """A cluster with etcd."""
    access = access_to(made, parts)
    target = made.target
    # Talos answers FailedPrecondition until containerd for pods runs; the program's step waits the same way.
    answer = target.until(
        "bootstrap", talosctl.bootstrap(access), lambda a: "FailedPrecondition" not in a.stderr
    )
    assert answer.code == 0, answer.stderr
    member = talosctl.get(access, "etcdmember")
    target.until("etcd is healthy", member, lambda answer: bool(answer.stdout.strip()))
    made.note("bootstrapped: bootstrap again", talosctl.bootstrap(access))
    made.note("bootstrapped: etcdmember", member)
    made.note("bootstrapped: etcd members", talosctl.etcd_members(access))
    made.note("bootstrapped: etcd data", talosctl.list_directory(access, "/var/lib/etcd/member"))
    made.note("bootstrapped: etcd service", talosctl.get(access, "services", "etcd"))
    made.note("bootstrapped: etcd status", authenticated(access, "etcd", "status"))
    worker = access_to(made, parts, 1)
    target.until(f"{worker.name} is ours", authenticated(worker, "version"), succeeded)
    made.note("bootstrapped: kubeconfig of a worker", talosctl.kubeconfig(worker))
    made.note("bootstrapped: bootstrap of a worker", talosctl.bootstrap(worker))
    made.note("bootstrapped: nodename", talosctl.get(access, "nodename"))
    patch = ("patch", "machineconfig", "--mode=no-reboot", DataArg("--patch=@", "patch"))
    made.note(
        "bootstrapped: change that needs a reboot",
        authenticated(access, *patch, secrets={"patch": NEEDS_REBOOT}),
    )
    status = talosctl.get(access, "machinestatus")
    target.until("running", status, lambda answer: '"stage": "running"' in answer.stdout)
    made.note("bootstrapped: machinestatus", status)
