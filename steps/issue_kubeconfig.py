"""The step that issues the administrator's kubeconfig."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import Kind, classify, words
from steps.inputs import KubeconfigInputs
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from steps.job import Job


def kubeconfig(job: Job) -> str:
    """Return an admin kubeconfig from the first control plane that gives one.

    Raises:
        OperationError: every control plane refuses, or none answers in time.
    """
    peers = job.inputs(KubeconfigInputs).control_planes

    def probe() -> Done[str] | Pending:
        answers, kinds = [], set()
        for peer in peers:
            result = job.call(talosctl.kubeconfig(job.access(peer)))
            if result.ok and result.stdout.strip():
                return Done(result.stdout)
            answers.append(f"{peer.name}: {words(result)}")
            kinds.add(classify(result))
        if Kind.TRANSIENT not in kinds:
            raise OperationError(f"no control plane gives a kubeconfig: {'; '.join(answers)}")
        return Pending("; ".join(answers))

    return job.wait(
        "a control plane to issue a kubeconfig", "that the control planes answer on port 50000", probe
    )
