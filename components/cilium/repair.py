"""What happens when Helm refuses the release because a killed run left its record behind.

An error hook runs in the program, only after Helm has failed, and tries once: see
`clients/kubernetes/helm_records.py` and docs/decisions/0004-release-repair.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pulumi

from clients.errors import OperationError
from clients.kubernetes.helm_records import forget, is_repairable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.component import KubernetesArgs


def repair_hook(
    name: str, args: KubernetesArgs, namespace: str, release: str, values: Mapping[str, Any]
) -> pulumi.ResourceHookBinding:
    """Return the hook that forgets the record of an interrupted run and lets the engine try again."""

    async def repair(failed: pulumi.ErrorHookArgs) -> bool:
        if not may_repair(failed):
            return False
        kubeconfig = await pulumi.Output.from_input(args.kubeconfig).future()
        exists = failed.failed_operation == "update"
        try:
            gone = await asyncio.to_thread(forget, str(kubeconfig), namespace, release, values, exists=exists)
        except OperationError as error:
            pulumi.log.error(str(error))
            return False
        if gone:
            pulumi.log.warn(f"forgot Helm's record of an interrupted run: {', '.join(gone)}")
        return bool(gone)

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(name, repair)])


def may_repair(failed: pulumi.ErrorHookArgs) -> bool:
    """Return whether this is the first failure and one that a record of Helm's explains."""
    return (
        failed.failed_operation in {"create", "update"}
        and len(failed.errors) == 1
        and is_repairable(failed.errors[0])
    )
