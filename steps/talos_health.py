"""The gate that lets Talos check itself: its own health check, asked of one control plane after the other."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.answers import Kind, classify, words
from steps.inputs import TalosHealthInputs
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from clients.talos.process import Result
    from steps.job import Job

_MARGIN = 10  # seconds that the health check ends before the step does, so that its own words are heard
# talosctl also ends with status 0 when the node cancels the check (a reboot): only its last words tell
_PASSED = (": OK", ": SKIP")
_BEGUN = ": ..."


def talos_health(job: Job) -> str:
    """Let Talos check itself and the control plane; nodes need not be Ready for it (there is no CNI yet).

    Raises:
        OperationError: the check fails for a reason that does not pass by itself, or the limit passed.
    """
    inputs = job.inputs(TalosHealthInputs)
    control_planes, workers = inputs.control_planes, inputs.workers
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
            raise OperationError(
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
