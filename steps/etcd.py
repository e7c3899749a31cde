"""What control planes know about etcd, and what may be done while they know it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from clients.talos import talosctl
from clients.talos.answers import etcd_member_ids, json_stream, words
from steps.inputs import EtcdInputs
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clients.talos.process import Result
    from clients.talos.talosctl import Access
    from steps.job import Job

DATA = "/var/lib/etcd"
_NOT_MOUNTED = "its service cri does not run yet, so /var may not be mounted"
ETCD_CHECK = (
    "`talosctl service etcd`, `talosctl logs etcd` and `talosctl etcd members` on the control planes named; "
    "a member that no longer exists is removed with `talosctl etcd remove-member`"
)


class Evidence(Enum):
    """What one control plane says about its etcd."""

    MEMBER = "is a healthy etcd member"
    DATA = "has etcd data, but its etcd is not healthy"
    EMPTY = "has no etcd data"
    UNKNOWN = "did not say whether it has etcd data"


@dataclass(frozen=True, slots=True)
class EtcdFinding:
    """A control plane's evidence, with its member id or the reason why there is none."""

    name: str
    evidence: Evidence
    detail: str = ""

    def __str__(self) -> str:
        """Return a clause for messages."""
        shown = self.detail if self.evidence is Evidence.UNKNOWN else ""
        return f"{self.name} {self.evidence.value}{f' ({shown})' if shown else ''}"


def examine(job: Job, access: Access) -> EtcdFinding:
    """Ask a control plane, authenticated, for its member, its etcd service and its data directory.

    Only an answer to the last question proves that there is no data; everything unclear is `UNKNOWN`.
    """
    # Asked first because it is the one answer that a healthy member gives at once.
    member = job.call(talosctl.get(access, "etcdmember"))
    if not member.ok:
        return EtcdFinding(access.name, Evidence.UNKNOWN, words(member))
    found = member_id(member)
    if found:
        return EtcdFinding(access.name, Evidence.MEMBER, found)
    if _service_runs(job.call(talosctl.get(access, "services", "etcd"))):
        return EtcdFinding(access.name, Evidence.DATA)
    return _examine_directory(job, access)


def member_id(result: Result) -> str:
    """Return the id of the node's etcd member (hexadecimal), or nothing while etcd is not healthy."""
    for resource in json_stream(result.stdout):
        return str(resource.get("spec", {}).get("memberID", "")) or "unnamed"
    return ""


def _service_runs(result: Result) -> bool:
    """Return whether the node's etcd service runs; before bootstrap it only waits."""
    return result.ok and any(
        item.get("spec", {}).get("running") is True for item in json_stream(result.stdout)
    )


def _examine_directory(job: Job, access: Access) -> EtcdFinding:
    """Look into etcd's data directory.

    Talos' API answers before `/var` is mounted, and then the directory is missing whatever the volume holds.
    The service cri starts only after it (Volumes() of Talos' system/services/cri.go): once it runs, a
    directory that is still missing is none.
    """
    listing = job.call(talosctl.list_directory(access, DATA))
    if _is_missing(listing):
        if not _service_runs(job.call(talosctl.get(access, "services", "cri"))):
            return EtcdFinding(access.name, Evidence.UNKNOWN, _NOT_MOUNTED)
        listing = job.call(talosctl.list_directory(access, DATA))
    entries = {line.split()[-1] for line in listing.stdout.splitlines() if line.strip()}
    # etcd creates this folder with its first write; an empty data directory is only a mount point.
    if "member" in entries:
        return EtcdFinding(access.name, Evidence.DATA)
    if listing.ok or _is_missing(listing):
        return EtcdFinding(access.name, Evidence.EMPTY)
    return EtcdFinding(access.name, Evidence.UNKNOWN, words(listing))


def _is_missing(listing: Result) -> bool:
    """Return whether the listing failed because there is no such directory."""
    return not listing.ok and "no such file or directory" in listing.stderr


def known_members(job: Job, access: Access) -> tuple[frozenset[str], frozenset[str]] | str:
    """Return voting members and learners as the node's etcd lists them, or the reason why it cannot."""
    result = job.call(talosctl.etcd_members(access))
    if not result.ok:
        return words(result)
    return (
        etcd_member_ids(result.stdout)
        or "talosctl printed a table of etcd members that this step does not know"
    )


def quorum_allows(members: int, healthy_others: int) -> bool:
    """Return whether etcd may lose one member for a while.

    Args:
        members: voting members in all.
        healthy_others: healthy members besides the one that will stop.

    With one or two members an interruption cannot be avoided; it is allowed while all the others are healthy.
    """
    if members <= 2:  # noqa: PLR2004 - two members need both
        return healthy_others >= members - 1
    return healthy_others >= members // 2 + 1


def sentence(findings: Iterable[EtcdFinding]) -> str:
    """Return all findings as one line."""
    return "; ".join(str(finding) for finding in findings)


def disagreement(
    findings: Mapping[str, str], lists: Mapping[str, tuple[frozenset[str], frozenset[str]]]
) -> str:
    """Return why the control planes do not form one etcd cluster yet, or an empty text.

    Args:
        findings: member id by control plane.
        lists: what each control plane lists: ids of voting members, ids of learners.
    """
    expected = frozenset(findings.values())
    for name, (voting, learners) in lists.items():
        # A learner does not vote yet: the cluster counts it, but it carries no quorum.
        if learners:
            return f"{name} still lists a learner ({', '.join(sorted(learners))})"
        if strangers := voting - expected:
            return f"{name} lists members that are not in this stack: {', '.join(sorted(strangers))}"
        if expected - voting:
            missing = (peer for peer, identity in findings.items() if identity not in voting)
            return f"{name} does not list {', '.join(sorted(missing))}"
    return ""


def etcd(job: Job) -> str:
    """Wait until every control plane is a healthy member and all of them list the same members."""
    peers = job.inputs(EtcdInputs).control_planes

    def probe() -> Done[str] | Pending:
        findings = [examine(job, job.access(peer)) for peer in peers]
        # Lists of members are compared only when all are healthy: before, they differ while members join.
        late = [finding for finding in findings if finding.evidence is not Evidence.MEMBER]
        if late:
            return Pending(sentence(late))
        lists = {}
        for peer in peers:
            known = known_members(job, job.access(peer))
            if isinstance(known, str):
                return Pending(f"{peer.name}: {known}")
            lists[peer.name] = known
        reason = disagreement({finding.name: finding.detail for finding in findings}, lists)
        return Pending(reason) if reason else Done(f"etcd healthy on {' '.join(peer.name for peer in peers)}")

    return job.wait("all control planes to be healthy etcd members", ETCD_CHECK, probe)
