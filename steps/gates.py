"""Gates that ask the Kubernetes API: server, Cilium, CRDs, Nodes."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from steps.errors import StepError
from steps.kube import Unanswered, explain, open_kube, server_address
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from steps.job import Job
    from steps.kube import Kube


def gate(job: Job, what: str, check: str, lacks: Callable[[Kube], str], result: str) -> str:
    """Wait until `lacks`, which may raise `Unanswered`, has nothing to name any more; return the result."""
    kube = open_kube(job.secret("kubeconfig"))

    def probe() -> Done[str] | Pending:
        try:
            missing = lacks(kube)
        except Unanswered as error:
            missing = str(error)
        return Pending(missing) if missing else Done(result)

    return job.wait(what, check, probe)


def api_ready(job: Job) -> str:
    """Wait until the API server says that it is ready, at the endpoint that the kubeconfig names."""
    endpoint = job.text("ENDPOINT")
    kube = open_kube(job.secret("kubeconfig"))
    if (kube.host, kube.port) != server_address(endpoint):
        raise StepError(f"the kubeconfig is for https://{kube.host}:{kube.port}, not for {endpoint}")

    def lacks(kube: Kube) -> str:
        answer = kube.ask("/readyz")
        return "" if answer.status == http.client.OK else explain(answer, "/readyz")

    return gate(
        job,
        f"the Kubernetes API at {endpoint}",
        "`talosctl service etcd` and `talosctl logs kubelet` on the control planes; a VIP needs etcd",
        lacks,
        f"Kubernetes API ready at {endpoint}",
    )
