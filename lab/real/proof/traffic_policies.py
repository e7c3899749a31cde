"""externalTrafficPolicy Cluster and Local: which node answers in each, and which client address pods see.

Cilium's page on L2 announcements says that Local is not compatible. Since 1.20.2 an agent competes for a
lease only where a backend lives, which makes it work; the checks hold the page against what is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.real import workload
from lab.real.admin import wait_for
from lab.real.proof.lan_claims import TRIES, announcers, settled_holder
from lab.real.record import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.real.proof.subject import Subject


def single_pod(subject: Subject) -> str:
    """Leave one ingress pod, on an announcing node that does not hold the lease; return that node.

    The pod is pinned by cordoning the others, so that policy Cluster and Local must differ.
    """
    holder = settled_holder(subject)
    others = sorted(announcers(subject) - {holder})
    target = others[0] if others else holder
    names = [machine.name for machine in subject.machines if machine.name != target]
    subject.cluster.kubectl("cordon", *names)
    try:
        # To none and back: a pod that exists would stay where it is, cordoned or not.
        workload.apply(subject.cluster, 0)
        workload.apply(subject.cluster, 1)
    finally:
        # Even after a failure: a cordoned node would fail the next run for another reason.
        subject.cluster.kubectl("uncordon", *names)
    return target


def cluster_policy(subject: Subject, pod_node: str) -> Iterator[Check]:
    """Under Cluster any selected node may answer, and a pod elsewhere does not see the client."""
    holder = settled_holder(subject)
    answers = subject.clients[0].ask(subject.address, TRIES)
    seen = sorted({answer.client for answer in answers})
    client = subject.clients[0].station.address
    yield Check(
        f"policy Cluster: {holder} answers ARP though the only pod runs on {pod_node}",
        len(answers) == TRIES and holder != pod_node,
        f"{len(answers)} of {TRIES} requests answered by {sorted({a.node for a in answers})}",
    )
    yield Check(
        f"policy Cluster: the pod on {pod_node} does not see {client}",
        bool(seen) and client not in seen,
        f"it saw {', '.join(seen)}: the answering node's own address",
    )


def local_policy(subject: Subject, pod_node: str) -> Iterator[Check]:
    """Under Local only a node with a pod answers, and the pod sees the client's own address."""
    seconds = wait_for(
        f"the lease moves to {pod_node}", lambda: workload.lease_holder(subject.cluster) == pod_node
    )
    holder = settled_holder(subject)
    answers = subject.clients[0].ask(subject.address, TRIES)
    seen = sorted({answer.client for answer in answers})
    client = subject.clients[0].station.address
    yield Check(
        f"policy Local: {pod_node}, where the only pod runs, answers ARP",
        holder == pod_node and len(answers) == TRIES,
        f"lease moved {seconds:.1f} s after the program's run; {len(answers)} of {TRIES} requests answered.\n"
        "Cilium's page l2-announcements calls Local incompatible: true until 1.20.1, not for 1.20.2",
    )
    yield Check(
        f"policy Local: the pod sees the client's own address {client}", seen == [client], ", ".join(seen)
    )
