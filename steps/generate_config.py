"""Steps that only generate, without any node: secrets bundle, talosconfig, machine config."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import client_minor, words
from clients.talos.talosconfig import with_addresses
from steps.inputs import MachineConfigInputs, SecretsInputs, TalosconfigInputs

if TYPE_CHECKING:
    from clients.talos.talosctl import Invocation, Role
    from steps.job import Job

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+.*)?")


def secrets_bundle(job: Job) -> str:
    """Return a new cluster's secrets bundle."""
    version = job.inputs(SecretsInputs).talos_version
    check_client(job, version)
    return generated(job, talosctl.gen_secrets(version))


def talosconfig(job: Job) -> str:
    """Return a talosconfig with a new admin certificate and the control planes' addresses."""
    inputs = job.inputs(TalosconfigInputs)
    check_client(job, inputs.talos_version)
    call = talosctl.gen_talosconfig(
        inputs.cluster_name, inputs.endpoint, inputs.talos_version, job.secret("secrets")
    )
    return with_addresses(generated(job, call), [peer.address for peer in inputs.control_planes])


def machine_config(job: Job) -> str:
    """Return a node's machine config after Talos' own parser accepted it.

    Raises:
        OperationError: talosctl is of another minor version, or Talos' parser refuses the config.
    """
    inputs = job.inputs(MachineConfigInputs)
    wanted = talosctl.MachineConfig(
        cluster=inputs.cluster_name,
        endpoint=inputs.endpoint,
        role=_role(inputs.role),
        talos_version=inputs.talos_version,
        kubernetes_version=inputs.kubernetes_version,
        install_image=inputs.install_image,
        patches=(inputs.patch, *inputs.user_patches),
        secrets=job.secret("secrets"),
    )
    check_client(job, inputs.talos_version)
    node = inputs.node
    check = f"the patches of {node} and of its role in the stack's configuration"
    config = generated(job, talosctl.gen_machine_config(wanted), check)
    # The generator accepts patches that the node's own parser refuses.
    verdict = job.call(talosctl.validate(config))
    if not verdict.ok:
        raise OperationError(f"Talos refuses the machine config of {node}: {words(verdict)}", check)
    return config


def generated(job: Job, invocation: Invocation, check: str = "") -> str:
    """Return the stdout of a call that generates something.

    Raises:
        OperationError: the call fails or prints nothing.
    """
    result = job.call(invocation)
    if not result.ok:
        raise OperationError(f"could not {invocation.description}: {words(result)}", check)
    # An empty config would be accepted by the engine and fail only on the machine.
    if not result.stdout.strip():
        raise OperationError(f"could not {invocation.description}: talosctl printed nothing")
    return result.stdout


def check_client(job: Job, wanted: str) -> None:
    """Refuse a talosctl whose minor version is not the cluster's.

    Raises:
        OperationError: another minor version, or an answer without a version.
    """
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


def _role(value: str) -> Role:
    """Return the role if it is one."""
    if value not in {"controlplane", "worker"}:
        raise OperationError(f"ROLE must be controlplane or worker, not {value!r}")
    return cast("Role", value)
