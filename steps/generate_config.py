"""Steps that only generate, without any node: secrets bundle, talosconfig, machine config."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import client_minor, words
from clients.talos.talosconfig import with_addresses

if TYPE_CHECKING:
    from clients.talos.talosctl import Invocation, Role
    from steps.job import Job

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+.*)?")


def secrets_bundle(job: Job) -> str:
    """Return a new cluster's secrets bundle."""
    check_client(job)
    return generated(job, talosctl.gen_secrets(job.text("TALOS_VERSION")))


def talosconfig(job: Job) -> str:
    """Return a talosconfig with a new admin certificate and the control planes' addresses."""
    addresses = [peer.address for peer in job.control_planes()]
    cluster, endpoint, version = job.text("CLUSTER_NAME"), job.text("ENDPOINT"), job.text("TALOS_VERSION")
    check_client(job)
    text = generated(job, talosctl.gen_talosconfig(cluster, endpoint, version, job.secret("secrets")))
    return with_addresses(text, addresses)


def machine_config(job: Job) -> str:
    """Return a node's machine config after Talos' own parser accepted it."""
    wanted = talosctl.MachineConfig(
        cluster=job.text("CLUSTER_NAME"),
        endpoint=job.text("ENDPOINT"),
        role=_role(job.text("ROLE")),
        talos_version=job.text("TALOS_VERSION"),
        kubernetes_version=job.text("KUBERNETES_VERSION"),
        install_image=job.text("INSTALL_IMAGE"),
        patches=patches(job),
        secrets=job.secret("secrets"),
    )
    check_client(job)
    node = job.text("NODE")
    check = f"the patches of {node} and of its role in the stack's configuration"
    config = generated(job, talosctl.gen_machine_config(wanted), check)
    verdict = job.call(talosctl.validate(config))
    if not verdict.ok:
        raise OperationError(f"Talos refuses the machine config of {node}: {words(verdict)}", check)
    return config


def generated(job: Job, invocation: Invocation, check: str = "") -> str:
    """Return the stdout of a call that generates something."""
    result = job.call(invocation)
    if not result.ok:
        raise OperationError(f"could not {invocation.description}: {words(result)}", check)
    if not result.stdout.strip():
        raise OperationError(f"could not {invocation.description}: talosctl printed nothing")
    return result.stdout


def check_client(job: Job) -> None:
    """Refuse a talosctl whose minor version is not the cluster's.

    Raises:
        StepError: another minor version, or an answer without a version.
    """
    wanted = job.text("TALOS_VERSION")
    match = _VERSION.fullmatch(wanted)
    if match is None:
        raise OperationError(f"TALOS_VERSION must look like v1.13.0, not {wanted!r}")
    result = job.call(talosctl.client_version())
    found = client_minor(result.stdout)
    if not result.ok or found is None:
        raise OperationError(f"could not ask talosctl for its version: {words(result)}")
    if found != (int(match[1]), int(match[2])):
        raise OperationError(
            f"talosctl on PATH is of Talos {found[0]}.{found[1]}, but the cluster runs {wanted}",
            f"install talosctl {wanted}: another minor version generates another configuration",
        )


def patches(job: Job) -> tuple[str, ...]:
    """Return the program's patch, then the user's PATCH_1, PATCH_2, … without a gap."""
    numbered = {name for name in job.environment if re.fullmatch(r"PATCH_\d+", name)}
    names = [f"PATCH_{number}" for number in range(1, len(numbered) + 1)]
    if numbered != set(names):
        raise OperationError(
            f"patches must be numbered PATCH_1, PATCH_2, … without a gap, not {sorted(numbered)}"
        )
    return (job.text("PATCH"), *(job.text(name) for name in names))


def _role(value: str) -> Role:
    """Return the role if it is one."""
    if value not in {"controlplane", "worker"}:
        raise OperationError(f"ROLE must be controlplane or worker, not {value!r}")
    return cast("Role", value)
