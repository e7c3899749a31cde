"""The only place that knows talosctl's command line (v1.13).

Every function is pure: it returns what to run, and `clients.talos.process` runs it. Secret and bulky data
never stand in the arguments: a `DataArg` becomes the path of an anonymous file. Long flags are
written `--flag=value` and user-chosen positional words come after `--`, so that no value can pass for a flag.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Role = Literal["controlplane", "worker"]
ApplyMode = Literal["no-reboot", "staged", "auto"]

OFFLINE = 60.0  # seconds: generating and validating take well under one
ANSWER = 15.0  # seconds for one question to a node; talosctl itself has no limit
ACTION = 60.0  # seconds for a call that makes the node do something before it answers


@dataclass(frozen=True, slots=True)
class DataArg:
    """An argument made of a prefix and the path of an anonymous file with the named data."""

    prefix: str
    name: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of talosctl.

    Attributes:
        argv: arguments after `talosctl`.
        secrets: contents of the anonymous files by name.
        description: completes "could not …".
        limit: seconds after which the call is ended.
    """

    argv: tuple[str | DataArg, ...]
    description: str
    limit: float
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one node of ours: its name for messages, its address, and the talosconfig's text."""

    name: str
    address: str
    talosconfig: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MachineConfig:
    """What one machine config is generated from; patches are applied in order, later ones win."""

    cluster: str
    endpoint: str
    role: Role
    talos_version: str
    kubernetes_version: str
    install_image: str
    patches: tuple[str, ...]
    secrets: str = field(repr=False)


def client_version() -> Invocation:
    """Ask talosctl for its own version."""
    return Invocation(("version", "--client", "--short"), "ask talosctl for its version", OFFLINE)


def gen_secrets(talos_version: str) -> Invocation:
    """Make the secrets bundle of a new cluster, on stdout."""
    argv = ("gen", "secrets", f"--talos-version={talos_version}", "--output-file=-")
    return Invocation(argv, "generate the cluster's secrets", OFFLINE)


def gen_talosconfig(cluster: str, endpoint: str, talos_version: str, secrets: str) -> Invocation:
    """Make a talosconfig with a new admin certificate (one year), without addresses, on stdout."""
    argv = (*_gen_config("talosconfig", talos_version), "--", cluster, endpoint)
    return Invocation(argv, "generate the talosconfig", OFFLINE, {"secrets": secrets})


def gen_machine_config(wanted: MachineConfig) -> Invocation:
    """Generate one node's whole machine config, on stdout.

    All patches use the flag of the node's role: talosctl also patches the config of the other role in memory,
    and a removal of something that only one role has would fail there.
    """
    flag = "--config-patch-control-plane=@" if wanted.role == "controlplane" else "--config-patch-worker=@"
    patches = {f"patch{number}": text for number, text in enumerate(wanted.patches)}
    argv = (
        *_gen_config(wanted.role, wanted.talos_version),
        f"--kubernetes-version={wanted.kubernetes_version}",
        f"--install-image={wanted.install_image}",
        "--install-disk=",
        *(DataArg(flag, name) for name in patches),
        "--",
        wanted.cluster,
        wanted.endpoint,
    )
    return Invocation(argv, "generate the machine config", OFFLINE, {"secrets": wanted.secrets, **patches})


def _gen_config(output: str, talos_version: str) -> tuple[str | DataArg, ...]:
    """Return the flags that every `gen config` shares."""
    return (
        "gen",
        "config",
        DataArg("--with-secrets=", "secrets"),
        f"--output-types={output}",
        "--output=-",
        f"--talos-version={talos_version}",
        "--with-docs=false",
        "--with-examples=false",
    )


def validate(machine_config: str) -> Invocation:
    """Check a machine config with Talos' own parser, for a machine with a disk, warnings as errors."""
    argv = ("validate", DataArg("--config=", "machineConfig"), "--mode=metal", "--strict")
    return Invocation(argv, "validate the machine config", OFFLINE, {"machineConfig": machine_config})


def apply_in_maintenance(address: str, machine_config: str, fingerprint: str = "") -> Invocation:
    """Give a machine in maintenance mode its first configuration, without showing it any credentials.

    Args:
        address: where the machine answers.
        machine_config: with all secrets of the node.
        fingerprint: SHA-256 of the public key of the certificate that the machine's console shows, base64;
            empty trusts whoever answers.
    """
    pin = (f"--cert-fingerprint={fingerprint}",) if fingerprint else ()
    argv = ("apply-config", f"--nodes={address}", "--insecure", *pin, DataArg("--file=", "machineConfig"))
    return Invocation(
        argv, f"apply the configuration at {address}", ACTION, {"machineConfig": machine_config}
    )


def get_in_maintenance(address: str, *resource: str) -> Invocation:
    """Read resources of a machine in maintenance mode, as `get` does; nothing proves who answers."""
    argv = ("get", f"--nodes={address}", "--insecure", "--output=json", *resource)
    return Invocation(argv, f"read {resource[0]} at {address}", ANSWER)


def apply(access: Access, machine_config: str, mode: ApplyMode) -> Invocation:
    """Change the configuration of a node of ours."""
    words = ("apply-config", f"--mode={mode}", DataArg("--file=", "machineConfig"))
    description = f"apply the configuration of {access.name}"
    return _authenticated(access, words, description, ACTION, {"machineConfig": machine_config})


def get(access: Access, *resource: str) -> Invocation:
    """Read resources (a type, and an id if one is meant) as a stream of JSON objects."""
    return _authenticated(
        access, ("get", "--output=json", *resource), f"read {resource[0]} of {access.name}", ANSWER
    )


def list_directory(access: Access, path: str) -> Invocation:
    """List the entries of a directory on the node."""
    return _authenticated(access, ("list", path), f"list {path} on {access.name}", ANSWER)


def etcd_members(access: Access) -> Invocation:
    """List the members that the node's own etcd knows; there is only a table."""
    return _authenticated(
        access, ("etcd", "members"), f"list the etcd members that {access.name} knows", ANSWER
    )


def bootstrap(access: Access) -> Invocation:
    """Start a new etcd cluster on the node."""
    return _authenticated(access, ("bootstrap",), f"bootstrap etcd on {access.name}", ACTION)


def kubeconfig(access: Access) -> Invocation:
    """Issue an admin kubeconfig (client certificate of one year), on stdout."""
    return _authenticated(access, ("kubeconfig", "--merge=false", "-"), "fetch the kubeconfig", ANSWER)


def health(
    access: Access, control_planes: Sequence[str], workers: Sequence[str], wait_seconds: int
) -> Invocation:
    """Let a control plane check the whole cluster; the addresses are given instead of discovered."""
    words = (
        "health",
        f"--control-plane-nodes={','.join(control_planes)}",
        f"--worker-nodes={','.join(workers)}",
        f"--wait-timeout={wait_seconds}s",
    )
    return _authenticated(access, words, "check the cluster's health", wait_seconds + ANSWER)


def reset(access: Access, *, graceful: bool) -> Invocation:
    """Wipe the node's state and data and reboot it into maintenance mode; the installed system stays."""
    words = (
        "reset",
        f"--graceful={'true' if graceful else 'false'}",
        "--system-labels-to-wipe=STATE,EPHEMERAL",
        "--reboot",
        "--wait=false",
    )
    return _authenticated(access, words, f"reset {access.name}", ACTION)


def etcd_leave(access: Access) -> Invocation:
    """Take the node's member out of etcd and delete its data; the others go on."""
    return _authenticated(access, ("etcd", "leave"), f"take {access.name} out of etcd", ACTION)


def shutdown(access: Access) -> Invocation:
    """Cordon, drain and switch the node off; its disk keeps everything."""
    return _authenticated(access, ("shutdown", "--wait=false"), f"shut {access.name} down", ACTION)


def _authenticated(
    access: Access,
    words: tuple[str | DataArg, ...],
    description: str,
    limit: float,
    secrets: Mapping[str, str] | None = None,
) -> Invocation:
    """Add the talosconfig and both addresses: where to dial, and which node is meant."""
    target = (
        DataArg("--talosconfig=", "talosconfig"),
        f"--endpoints={access.address}",
        f"--nodes={access.address}",
    )
    return Invocation(
        (*words[:1], *target, *words[1:]),
        description,
        limit,
        {"talosconfig": access.talosconfig, **(secrets or {})},
    )
