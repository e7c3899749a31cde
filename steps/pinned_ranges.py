"""The ranges of a cluster's network are chosen once: pinned when it is made, refused when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.errors import OperationError
from steps.inputs import KeptRangesInputs, RangesInputs

if TYPE_CHECKING:
    from steps.job import Job

# Environment variable → key of the stack config, and what a change would break.
_PINNED = {
    "POD_CIDR": ("network.podCidr", "every Node keeps its pod range, every pod its address"),
    "NODE_MASK": ("network.nodeMask", "every Node keeps the pod range it was given"),
    "SERVICE_CIDR": ("network.serviceCidr", "every Service keeps its address, the API's and DNS's included"),
    "IPAM_MODE": ("ipam.mode", "Cilium does not take over pods of another mode"),
}


def pinned(job: Job) -> str:
    """Write down the ranges with which the cluster is made."""
    return " ".join(f"{name}={value}" for name, value in job.inputs(RangesInputs).environment().items())


def kept(job: Job) -> str:
    """Refuse other ranges than those that were written down.

    Raises:
        OperationError: a range changed; the text names old and new.
    """
    before = dict(word.partition("=")[::2] for word in job.previous().split())
    wanted = job.inputs(KeptRangesInputs).environment()
    changed = [
        f"{key} is {before[name]} and cannot become {wanted[name]}: {reason}"
        for name, (key, reason) in _PINNED.items()
        if before.get(name, wanted[name]) != wanted[name]
    ]
    if changed:
        raise OperationError(
            "the network of a live cluster cannot be changed; nothing has been touched:\n  "
            + "\n  ".join(changed),
            "docs/cilium.md, 'Changing a range': put the old value back, or reset all nodes and run "
            "`pulumi up --replace` with the URN of this resource",
        )
    return pinned(job)
