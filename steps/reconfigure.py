"""Changes a node of ours: live where possible, with a reboot only one node at a time and with quorum."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import Kind, changed_fields, classify, json_stream, words
from steps.environment import Peer
from steps.etcd import Evidence, examine, known_members, quorum_allows, sentence
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients.talos.process import Result
    from clients.talos.talosconfig import Talosconfig
    from clients.talos.talosctl import ApplyMode
    from steps.job import Job

# Control planes stay in booting until etcd is healthy, and a joining one waits for the others.
UP = frozenset({"booting", "running"})  # stages in which a node works with its configuration
QUORUM_CHECK = "`talosctl etcd members` and `talosctl service etcd` on every control plane"
_MODES: dict[str, ApplyMode] = {"no-reboot": "no-reboot", "staged": "staged", "auto": "auto"}


def change(job: Job, peer: Peer, cluster: Talosconfig, apply_mode: str) -> bool:
    """Change the configuration as far as APPLY_MODE allows and wait until the node works with it.

    Returns whether the node has rebooted.

    `auto` first tries without a reboot, so that nodes wait for each other only if one really has to reboot.

    Raises:
        OperationError: the mode is unknown, or the change needs a reboot that it does not allow.
    """
    mode = _MODES.get(apply_mode)
    if mode is None:
        raise OperationError(f"APPLY_MODE must be no-reboot, staged or auto, not {apply_mode!r}")
    if mode != "no-reboot":  # that mode is refused by Talos itself
        job.wait(f"{peer.name} to say its role", _node_check(peer), lambda: keep_role(job, peer, cluster))
    has_rebooted = False
    # Tried without a reboot first: Talos alone knows which fields of this release need one.
    result = send(job, peer, "staged" if mode == "staged" else "no-reboot")
    if not result.ok:
        needs = f"{peer.name}: this change needs a reboot: {', '.join(changed_fields(result.stderr))}"
        if mode != "auto":
            raise OperationError(
                needs,
                "talos.applyMode in the stack's configuration: 'auto' reboots one node at a time, "
                "'staged' keeps the change for the next reboot",
            )
        # Named before it happens: whoever watches learns which field costs a reboot.
        job.say(needs)
        with alone(job, cluster.ca):
            has_rebooted = change_with_reboot(job, peer, cluster)
    elif mode == "staged":
        job.say(f"{peer.name}: the change waits for the node's next reboot")
    job.wait(f"{peer.name} to work with its configuration", _node_check(peer), lambda: working(job, peer))
    return has_rebooted


def keep_role(job: Job, peer: Peer, cluster: Talosconfig) -> Done[None] | Pending:
    """Refuse to make a worker of a control plane, or the reverse: after its reboot the node would be lost.

    Raises:
        OperationError: the machine has the other role.
    """
    result = job.call(talosctl.get(job.access(peer), "machinetype"))
    if not result.ok:
        return Pending(words(result))
    wanted = "controlplane" if peer.address in cluster.nodes else "worker"
    for item in json_stream(result.stdout):
        found = item.get("spec")
        if found != wanted:
            raise OperationError(
                f"the machine at {peer.address} is a {found} and cannot become a {wanted} in place",
                f"that {peer.address} is the address of {peer.name}; to change a node's role, reset it first",
            )
    return Done(None)


def send(job: Job, peer: Peer, mode: ApplyMode) -> Result:
    """Send the machine config; return the answer when it was taken or when it needs a reboot.

    Raises:
        OperationError: Talos refuses the config.
    """

    def probe() -> Done[Result] | Pending:
        result = job.call(talosctl.apply(job.access(peer), job.secret("machineConfig"), mode))
        kind = None if result.ok else classify(result)
        if kind in {None, Kind.NEEDS_REBOOT}:
            return Done(result)
        if kind is Kind.TRANSIENT:
            return Pending(words(result))
        raise OperationError(f"{peer.name} refuses its configuration: {words(result)}", _node_check(peer))

    return job.wait(f"{peer.name} to take its configuration", _node_check(peer), probe)


def change_with_reboot(job: Job, peer: Peer, cluster: Talosconfig) -> bool:
    """Apply in mode auto and see the node go and come back; a control plane only with etcd's quorum.

    Returns whether it has rebooted after all.
    """
    what = f"{peer.name} to be ready for a reboot"
    # Which boot it is must be known before, or a fast reboot could not be told from none.
    before = job.wait(what, _node_check(peer), lambda: working(job, peer))
    others = tuple(Peer(address, address) for address in cluster.nodes if address != peer.address)
    is_control_plane = peer.address in cluster.nodes
    had_etcd = is_control_plane and job.wait(
        f"etcd to be able to do without {peer.name}", QUORUM_CHECK, lambda: spare(job, peer, others)
    )
    result = send(job, peer, "auto")
    reboots = "with a reboot" in result.stderr
    if reboots:
        job.say(f"{peer.name} reboots")
        job.wait(f"{peer.name} to come back", _node_check(peer), lambda: _rebooted(job, peer, before))
    if had_etcd:
        job.wait(f"etcd of {peer.name} to be healthy again", QUORUM_CHECK, lambda: _member_again(job, peer))
    return reboots


def spare(job: Job, peer: Peer, others: tuple[Peer, ...]) -> Done[bool] | Pending:
    """Return whether etcd runs, once it can do without this control plane for a while."""
    findings = [examine(job, job.access(other)) for other in others]
    own = examine(job, job.access(peer))
    # Before the bootstrap there is no quorum to keep.
    if {finding.evidence for finding in (own, *findings)} == {Evidence.EMPTY}:
        return Done(value=False)
    # The config is a guess; the list of a healthy member, if there is one, replaces it.
    members = len(others) + 1
    for finding, candidate in zip((own, *findings), (peer, *others), strict=True):
        if finding.evidence is Evidence.MEMBER:
            known = known_members(job, job.access(candidate))
            members = members if isinstance(known, str) else len(known[0])
            break
    healthy = sum(finding.evidence is Evidence.MEMBER for finding in findings)
    if quorum_allows(members, healthy):
        return Done(value=True)
    return Pending(f"{healthy} of {members - 1} other members are healthy: {sentence(findings)}")


def working(job: Job, peer: Peer) -> Done[str] | Pending:
    """Return which boot of the node this is, once it works with its configuration.

    The status is recreated at each boot, so the moment of its creation names the boot.

    Raises:
        OperationError: the node does not accept our credentials.
    """
    result = job.call(talosctl.get(job.access(peer), "machinestatus"))
    if not result.ok:
        if classify(result) is Kind.TRANSIENT:
            return Pending(words(result))
        raise OperationError(
            f"{peer.name} does not answer to our credentials: {words(result)}", _node_check(peer)
        )
    for item in json_stream(result.stdout):
        stage = str(item.get("spec", {}).get("stage", ""))
        if stage in UP:
            return Done(str(item.get("metadata", {}).get("created", "")))
        return Pending(f"{peer.name} is {stage}")
    return Pending(f"{peer.name} has no status yet")


def _rebooted(job: Job, peer: Peer, before: str) -> Done[str] | Pending:
    """Return the new boot, once the node works again."""
    now = working(job, peer)
    return Pending(f"{peer.name} has not gone down yet") if now == Done(before) else now


def _member_again(job: Job, peer: Peer) -> Done[None] | Pending:
    """Return when the node is a healthy etcd member."""
    finding = examine(job, job.access(peer))
    return Done(None) if finding.evidence is Evidence.MEMBER else Pending(str(finding))


def _node_check(peer: Peer) -> str:
    return f"`talosctl -n {peer.address} dmesg` or the console of {peer.name}"


@contextmanager
def alone(job: Job, ca: str) -> Iterator[None]:
    """Hold this machine's lock for steps that take nodes of this cluster down, one at a time.

    The file is empty and stays; the kernel lets go of the lock when this process ends, however it ends.

    Raises:
        OperationError: another reboot did not end within the time of this step.
    """
    identity = hashlib.sha256(ca.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"talos-cluster-{os.getuid()}-{identity}.lock"
    try:
        # O_NOFOLLOW: in a folder that everybody may write to, somebody could have put a link there.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise OperationError(f"cannot open the lock {path}: {error.strerror}", "who made that file") from None
    try:
        job.wait(
            "another step that takes a node of this cluster down",
            f"which other `pulumi up` of this cluster runs on this machine (it holds {path})",
            lambda: _locked(descriptor),
        )
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> Done[None] | Pending:
    """Return whether the lock is ours now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Pending("it is still running")
    return Done(None)
