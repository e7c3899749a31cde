"""The one way in which this program runs something outside the engine: a step of `steps/` as a Command.

A step gets plain data in its environment, where `pulumi preview --diff` shows it, and secrets as one JSON
object on stdin, where nothing shows them. No shell, no path and no value of this machine is an input, so two
workstations see the same diff.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
from pulumi_command import local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from steps.environment import StepInputs

INTERPRETER = ("python3", "-IS", "steps")
"""Fixed program; the provider appends the step's name and runs it in the project directory, no shell.

Isolated from the user's Python settings (`-I`) and without third-party packages (`-S`), which is also the
difference between 20 and 60 ms of processor time on some machines.
"""

GRACE = 30
"""Seconds by which the engine's limit exceeds the step's own, so that the step can say what was missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A step, what it gets and how long it may take.

    Attributes:
        inputs: What the step reads; names the step. A change is shown in the preview and runs the step again.
        timeout: Seconds after which the step gives up with an explanation.
        again: Plain data that the step does not read: a change of it runs the step again.
        secrets: Secret data, by name: exactly those that the step reads.
        secret_output: Whether stdout is secret; then nothing is logged.
        create: Whether the step runs when the resource is created; else only when it is deleted.
        delete: Name of the step that runs when the resource is deleted; only for steps that are meant to.
        update: Name of the step that runs instead when an input changes; it gets the result of the last run.
    """

    inputs: StepInputs
    timeout: float
    again: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict, repr=False)
    secret_output: bool = False
    create: bool = True
    delete: str | None = None
    update: str | None = None

    def __post_init__(self) -> None:
        wanted = self.inputs.SECRETS
        # A secret that nobody reads would still travel and be stored; one that is missing fails on a node.
        if self.secrets.keys() != wanted:
            raise TypeError(
                f"step {self.inputs.STEP} reads the secrets {sorted(wanted)}, not {sorted(self.secrets)}"
            )

    def environment(self, seconds: int) -> dict[str, pulumi.Input[str]]:
        """Return the environment of the Command; `seconds` is the time that the step has."""
        return {**self.inputs.environment(), **self.again, "STEP_TIMEOUT": str(seconds)}


def run_step(name: str, step: Step, opts: pulumi.ResourceOptions) -> local.Command:
    """Return the Command `name` that runs `step`; `opts` says its parent and its order."""
    # Rounded up: a limit of less than a second would be none for the engine.
    seconds = math.ceil(step.timeout)
    limit = f"{seconds + GRACE}s"
    own = pulumi.ResourceOptions(
        custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit, delete=limit),
        additional_secret_outputs=["stdout"] if step.secret_output else None,
    )
    return local.Command(
        name,
        interpreter=list(INTERPRETER),
        create=step.inputs.STEP if step.create else None,
        delete=step.delete,
        update=step.update,
        environment=step.environment(seconds),
        stdin=_stdin(step.secrets),
        # With logging on, the engine would print the very result that is marked as secret.
        logging=local.Logging.NONE if step.secret_output else local.Logging.STDERR,
        add_previous_output_in_env=step.update is not None,
        opts=pulumi.ResourceOptions.merge(own, opts),
    )


def _stdin(secrets: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str] | None:
    return pulumi.Output.secret(pulumi.Output.json_dumps(dict(secrets))) if secrets else None


def secret_stdout(command: local.Command) -> pulumi.Output[str]:
    """Return the result of a step as a secret."""
    return pulumi.Output.secret(command.stdout)


def digest(value: object) -> str:
    """Return a short digest of JSON data: an input that makes a gate ask again when the data changes."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
