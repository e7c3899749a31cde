"""Runs one step by name: data in, result to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from clients.errors import OperationError, Stopped
from clients.talos import process
from steps import inputs
from steps.environment import parse_seconds
from steps.job import Job
from steps.redact import redact, secret_values
from steps.waiting import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

    from clients.talos.handshake import Sight

STEPS: Mapping[str, tuple[str, str]] = {kind.STEP: kind.RUNS for kind in inputs.ALL}
"""Module and function by step."""


def main(arguments: Sequence[str]) -> int:
    """Run the step that the arguments name and return the exit status."""
    if len(arguments) != 2 or arguments[1] not in STEPS:  # noqa: PLR2004 - program and step
        print(f"usage: python3 -IS steps STEP, where STEP is one of: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    say: Callable[[str], None] = _printer(())
    # The engine ends a step with SIGTERM; talosctl must not outlive it and act without a reader.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        secrets = read_secrets()
        # From here on every line is redacted, also that of an unexpected error.
        say = _printer(secret_values(secrets.values()))
        result = find_step(arguments[1])(_job(secrets, say))
    except OperationError as error:
        say(f"{arguments[1]}: {error}")
        return 1
    except Stopped as stopped:
        say(f"{arguments[1]}: stopped by {stopped.signal_name}; running it again is safe")
        return 128 + stopped.signal_number
    except Exception:  # noqa: BLE001 - whatever it is, its text may quote a secret
        from traceback import format_exc  # noqa: PLC0415 - a step that works does not need it

        say(f"{arguments[1]}: this is a fault of the step itself\n{format_exc()}")
        return 1
    print(result.rstrip("\n"), flush=True)
    return 0


def stop(number: int, _frame: FrameType | None) -> NoReturn:
    """Turn a signal into an exception, so that running children are ended on the way out.

    Raises:
        Stopped: always.
    """
    raise Stopped(number, signal.Signals(number).name)


def _printer(values: Sequence[str]) -> Callable[[str], None]:
    """Return what prints to stderr, without the secret values."""

    def say(text: str) -> None:
        print(redact(text, values), file=sys.stderr, flush=True)

    return say


def read_secrets() -> Mapping[str, str]:
    """Return the JSON object of strings on stdin; nothing on stdin is an empty object.

    Raises:
        OperationError: stdin is no JSON object of strings.
    """
    text = sys.stdin.read()
    try:
        secrets = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise OperationError(f"stdin is not JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
        raise OperationError("stdin must hold one JSON object whose values are strings")
    return secrets


def _look(address: str, ca: str) -> Sight:
    """Look at a node; steps that look at none do not load TLS."""
    from clients.talos import handshake  # noqa: PLC0415

    return handshake.look(address, ca)


def _job(secrets: Mapping[str, str], say: Callable[[str], None]) -> Job:
    """Return the step's data with the machine's own clock and talosctl."""
    clock = SystemClock()
    limit = parse_seconds("STEP_TIMEOUT", os.environ.get("STEP_TIMEOUT", ""))
    return Job(dict(os.environ), secrets, clock, clock.now() + limit, say, process.talosctl, _look)


def find_step(name: str) -> Callable[[Job], str]:
    """Return the function of the step."""
    module, function = STEPS[name]
    step: Callable[[Job], str] = getattr(import_module(module), function)
    return step
