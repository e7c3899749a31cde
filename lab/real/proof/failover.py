"""The announcing node is cut off: who takes over, and how long clients on the LAN get no answer."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.real.admin import wait_for
from lab.real.lan_client import owner
from lab.real.proof.lan_claims import settled_holder
from lab.real.record import Check
from lab.report import condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.real.proof.subject import Subject

BEFORE = 3.0
"""Seconds of undisturbed watching before the cut."""

AFTER = 60.0
"""Seconds that are watched after the cut."""

MEASURING = 1.0
"""Seconds that asking and a busy machine may add."""


@dataclass(frozen=True)
class Try:
    """One question of the watching client: when it ended, what was asked, who answered (None: nobody)."""

    at: float
    kind: str
    answer: str | None


def parse(text: str) -> list[Try]:
    """Return the tries that `lab.real.lan_watch` printed, in order."""
    tries = []
    for line in text.splitlines():
        entry = json.loads(line)
        kind = "arp" if "arp" in entry else "http"
        tries.append(Try(entry["at"], kind, entry[kind]))
    return sorted(tries, key=lambda one: one.at)


def silence(tries: Sequence[Try], kind: str, cut: float) -> float | None:
    """Return the seconds from the cut to the first answer after a failure, None where nothing answered again.

    What was asked just before the cut may still be answered just after it: that is no recovery.
    """
    failed = False
    for one in (t for t in tries if t.kind == kind and t.at > cut):
        if one.answer is None:
            failed = True
        elif failed:
            return one.at - cut
    return None


def last_failure(tries: Sequence[Try], kind: str, cut: float) -> float:
    """Return the seconds from the cut to the last question without an answer."""
    failed = [t.at for t in tries if t.kind == kind and t.at > cut and t.answer is None]
    return max(failed, default=cut) - cut


def checks(subject: Subject) -> Iterator[Check]:
    """Cut the holder off, watch, switch it on again; yield the claims with what was measured."""
    holder = subject.machine(settled_holder(subject))
    watching = subject.clients[1].watch(subject.address, BEFORE + AFTER)
    time.sleep(BEFORE)
    # Noted before the power goes: what is measured can then only be too long, never too short.
    cut = time.time()
    subject.nodes.power_off(holder)
    output, _ = watching.communicate()
    # Kept before it is judged: a failed claim is understood by reading the tries.
    subject.cluster.layout.tries.write_text(output)
    tries = parse(output)
    yield steady_before(tries, cut)
    successor = settled_holder(subject)
    yield Check(
        f"{holder.name} was cut off; {successor} took over",
        successor != holder.name,
        "\n".join(transitions(tries, cut, subject)),
    )
    yield from _durations(subject, tries, cut)
    yield rejoins(subject, holder.name)


def steady_before(tries: Sequence[Try], cut: float) -> Check:
    """Before the cut every question was answered: otherwise nothing was measured."""
    before = [t for t in tries if t.at <= cut]
    answered = [t for t in before if t.answer is not None]
    return Check(
        "before the cut every question of the client is answered",
        bool(before) and len(answered) == len(before),
        f"{len(answered)} of {len(before)}",
    )


def _durations(subject: Subject, tries: Sequence[Try], cut: float) -> Iterator[Check]:
    leases = subject.config.load_balancer.leases
    arp = silence(tries, "arp", cut)
    http = silence(tries, "http", cut)
    low, high = leases.duration - leases.renew_deadline, leases.duration + leases.renew_deadline
    promise = (
        f"lease {leases.duration:g} s ± renew deadline {leases.renew_deadline:g} s: {low:g} to {high:g} s"
    )
    if arp is not None:
        subject.seconds["failover, ARP without an answer"] = round(arp, 1)
    yield Check(
        f"ARP went unanswered for {_seconds(arp)}; promised by the {promise}",
        arp is not None and low - MEASURING <= arp <= high + leases.retry_period + MEASURING,
        "asked every 0.1 s, from the cut to the first answer after it",
    )
    if http is not None:
        subject.seconds["failover, HTTP without an answer"] = round(http, 1)
        subject.seconds["failover, last failed HTTP request"] = round(last_failure(tries, "http", cut), 1)
    yield Check(
        f"HTTP answered again after {_seconds(http)}",
        http is not None,
        f"last failed request after {last_failure(tries, 'http', cut):.1f} s: until Kubernetes notices the "
        "dead node, some requests go to its pod",
    )


def _seconds(value: float | None) -> str:
    return "more than was watched" if value is None else f"{value:.1f} s"


def transitions(tries: Sequence[Try], cut: float, subject: Subject) -> list[str]:
    """Return a line for each time that the answer to ARP changed."""
    lines, last = [], ""
    for one in (t for t in tries if t.kind == "arp"):
        now = owner(one.answer, subject.machines) if one.answer else "nobody"
        if now != last:
            lines.append(f"{one.at - cut:+6.1f} s  ARP answered by {now}")
        last = now
    return lines


def rejoins(subject: Subject, name: str) -> Check:
    """The cut-off node is switched on again and becomes Ready, with the same identity."""
    began = time.monotonic()
    subject.nodes.power_on_again(subject.machine(name))

    def ready() -> bool:
        node = subject.cluster.get("node", name)
        agent = subject.cluster.get("daemonset", "cilium", "--namespace=kube-system")["status"]
        # A Ready node whose agent is not back would make the next checks fail at random.
        return condition(node, "Ready") == "True" and agent["numberReady"] == len(subject.machines)

    # The Node's old condition counts as Ready until kubelet is missed: wait for the new boot first.
    wait_for(f"talosctl reaches {name} again", lambda: _answers(subject, name))
    wait_for(f"{name} is Ready again", ready, limit=240)
    seconds = time.monotonic() - began
    subject.seconds["killed node back and Ready"] = round(seconds, 1)
    shown = subject.cluster.kubectl("get", "nodes", "--output=wide")
    return Check(f"{name} came back and is Ready after {seconds:.0f} s", passed=True, evidence=shown)


def _answers(subject: Subject, name: str) -> bool:
    return subject.cluster.talosctl("version", f"--nodes={subject.machine(name).address}").code == 0
