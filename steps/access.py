"""Steps about reaching the cluster: its kubeconfig and Talos' own health check."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING

from steps import talosctl
from steps.answers import Kind, classify, words
from steps.errors import StepError
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from steps.job import Job
    from steps.run import Result

_MARGIN = 10  # seconds that the health check ends before the step does, so that its own words are heard
# talosctl also ends with status 0 when the node cancels the check (a reboot): only its last words tell
_PASSED = (": OK", ": SKIP")
_BEGUN = ": ..."


def kubeconfig(job: Job) -> str:
    """Return an admin kubeconfig from the first control plane that gives one."""
    peers = job.control_planes()

    def probe() -> Done[str] | Pending:
        answers, kinds = [], set()
        for peer in peers:
            result = job.call(talosctl.kubeconfig(job.access(peer)))
            if result.ok and result.stdout.strip():
                return Done(result.stdout)
            answers.append(f"{peer.name}: {words(result)}")
            kinds.add(classify(result))
        if Kind.TRANSIENT not in kinds:
            raise StepError(f"no control plane gives a kubeconfig: {'; '.join(answers)}")
        return Pending("; ".join(answers))

    return job.wait(
        "a control plane to issue a kubeconfig", "that the control planes answer on port 50000", probe
    )


def talos_health(job: Job) -> str:
    """Let Talos check itself and the control plane; nodes need not be Ready for it (there is no CNI yet)."""
    control_planes, workers = job.control_planes(), job.peers("WORKERS")
    turns = cycle(control_planes)
    heard = _Heard(job)

    def probe() -> Done[str] | Pending:
        invocation = talosctl.health(
            job.access(next(turns)),
            [peer.address for peer in control_planes],
            [peer.address for peer in workers],
            max(int(job.remaining()) - _MARGIN, _MARGIN),
        )
        result = job.call(invocation, heard)
        if result.ok and heard.last.endswith(_PASSED):
            return Done("Talos is healthy")
        if not result.ok and classify(result) is not Kind.TRANSIENT:
            raise StepError(
                f"Talos' health check failed: {_last_words(result)}", f"before that: {heard.last}"
            )
        return Pending(heard.last or _last_words(result))

    return job.wait(
        "Talos' own health check", "`talosctl health` and the services of the node it names", probe
    )


class _Heard:
    """Listens to the health check: keeps the last line about a check and says those that name a problem."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.last = ""

    def __call__(self, line: str | None, /) -> None:
        if line is None:
            self._job.say(f"Talos' health check still says: {self.last}")
        elif line.startswith("waiting for "):
            if line != self.last and not line.endswith((*_PASSED, _BEGUN)):
                self._job.say(line)
            self.last = line


def _last_words(result: Result) -> str:
    """Return how the check ended, without its progress."""
    lines = result.stderr.strip().splitlines()
    return words(replace(result, stderr=lines[-1] if lines else ""))
