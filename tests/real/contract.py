"""The contract between the node simulator and real Talos: the same calls of talosctl in the same order.

Of each call three things are kept: its exit code, the stable part of its message, and the shape of its JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clients.talos.talosctl import ANSWER, Access, DataArg, Invocation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from model import Cluster, Node

PATIENCE = 120.0
PAUSE = 0.5
NO_ANSWER = 124
"""Stands for the exit code of a call that had not ended within its limit."""

Shape = Any
"""A JSON value with every scalar replaced by the name of its type."""


@dataclass(frozen=True)
class ContractAnswer:
    """What a call left behind."""

    code: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)


@dataclass(frozen=True)
class Observation:
    """What is compared of one call."""

    code: int
    message: str
    shape: Shape


@dataclass(frozen=True)
class Target:
    """Nodes to talk to: simulated or real.

    Attributes:
        name: For messages.
        tool: talosctl.
        prefix: What runs before it, to reach the nodes.
        cluster: The checked config; one control plane and one worker at least.
    """

    name: str
    tool: Path
    prefix: tuple[str, ...]
    cluster: Cluster

    def call(self, invocation: Invocation) -> ContractAnswer:
        """Run one call of talosctl; data becomes anonymous files, as in the program's steps."""
        files = {name: os.memfd_create(name, 0) for name in invocation.secrets}
        try:
            for name, fd in files.items():
                os.write(fd, invocation.secrets[name].encode())
                os.lseek(fd, 0, os.SEEK_SET)
            argv = [
                word if isinstance(word, str) else f"{word.prefix}/dev/fd/{files[word.name]}"
                for word in invocation.argv
            ]
            return self._run([*self.prefix, str(self.tool), *argv], tuple(files.values()), invocation.limit)
        finally:
            for fd in files.values():
                os.close(fd)

    def _run(self, argv: list[str], descriptors: tuple[int, ...], limit: float) -> ContractAnswer:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                pass_fds=descriptors,
                cwd="/",
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ContractAnswer(NO_ANSWER, "", "")
        return ContractAnswer(done.returncode, done.stdout, done.stderr)

    def until(
        self, what: str, invocation: Invocation, accept: Callable[[ContractAnswer], bool]
    ) -> ContractAnswer:
        """Repeat a call until its answer is accepted, and return that."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.call(invocation)
            if accept(answer):
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name}: {what}: {answer.code} {answer.stdout} {answer.stderr}")
            time.sleep(PAUSE)


def succeeded(answer: ContractAnswer) -> bool:
    """Tell whether a call succeeded."""
    return answer.code == 0


_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b")
_DIFF = re.compile(r"(?s)(Config diff:\n).*")
_REFUSED = re.compile(
    r"connection error: desc = .*tls: certificate required.*"
    r"|write tcp .*: broken pipe|read tcp .*: connection reset.*"
)
"""A client without a certificate learns of its refusal by whichever of its reads and writes comes first."""

_NOISE = (
    (_REFUSED, "REFUSED WITHOUT A CERTIFICATE"),
    (_ADDRESS, "ADDRESS"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "HEX"),
    (re.compile(r"/dev/fd/\d+"), "FILE"),
    (re.compile(r"\b(?:cp|w)\d\b"), "NODE"),
    (re.compile(r"\s+"), " "),
)


def stable(text: str) -> str:
    """Return the part of a message that must be the same for every node: no address, no name."""
    text = _DIFF.sub(r"\1", text.partition("\nUsage:")[0])
    for pattern, word in _NOISE:
        text = pattern.sub(word, text)
    return text.strip()


def shape_of(value: Any) -> Shape:  # noqa: ANN401 - JSON
    """Return the shape of a JSON value; a list has the shape that all its elements have together."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        merged: Shape = None
        for element in value:
            merged = merge(merged, shape_of(element))
        return [] if merged is None else [merged]
    return type(value).__name__


def merge(one: Shape, other: Shape) -> Shape:
    """Return a shape that covers both."""
    if one is None or one == other:
        return other
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            key: merge(one.get(key), other[key]) if key in other else one[key] for key in {**one, **other}
        }
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])] if one and other else one or other
    return f"{one}|{other}"


def objects(stream: str) -> Iterator[Any]:
    """Yield the objects of talosctl's JSON, which is a stream and no array."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(stream.rstrip()):
        value, position = decoder.raw_decode(stream, position)
        yield value
        while position < len(stream) and stream[position].isspace():
            position += 1


def observe(invocation: Invocation, answer: ContractAnswer) -> Observation:
    """Return what is compared of a call: a table counts by its header, JSON by its shape."""
    if "--output=json" in invocation.argv and answer.stdout.strip():
        return Observation(answer.code, stable(answer.stderr), shape_of(list(objects(answer.stdout))))
    lines = answer.stdout.splitlines()
    header = (
        re.sub(r"\s{2,}", " ", lines[0]).strip() if lines and "--output=json" not in invocation.argv else ""
    )
    if header.startswith("apiVersion"):
        header = "apiVersion"  # a kubeconfig: the rest is secret
    return Observation(answer.code, stable(answer.stderr), stable(header))


@dataclass
class Play:
    """One run of the calls on one target.

    Attributes:
        target: The nodes.
        seen: The observations by name, in order.
    """

    target: Target
    seen: dict[str, Observation] = field(default_factory=dict)

    def note(self, name: str, invocation: Invocation) -> ContractAnswer:
        """Make a call and keep what is compared of it."""
        answer = self.target.call(invocation)
        self.seen[name] = observe(invocation, answer)
        return answer


def insecure(node: Node, *words: str | DataArg, secrets: Mapping[str, str] | None = None) -> Invocation:
    """Return a call without credentials, as on a machine in maintenance mode."""
    address = str(node.maintenance_address or node.address)
    argv = (*words, f"--nodes={address}", f"--endpoints={address}", "--insecure")
    return Invocation(argv, f"ask {address}", ANSWER, secrets or {})


def authenticated(
    access: Access, *words: str | DataArg, secrets: Mapping[str, str] | None = None
) -> Invocation:
    """Return a call with the administrator's certificate."""
    argv = (
        *words,
        DataArg("--talosconfig=", "talosconfig"),
        f"--endpoints={access.address}",
        f"--nodes={access.address}",
    )
    return Invocation(argv, "ask", ANSWER, {"talosconfig": access.talosconfig, **(secrets or {})})


def generate(target: Target, invocation: Invocation) -> str:
    """Return what an offline call generates."""
    answer = target.call(invocation)
    assert answer.code == 0, answer.stderr
    return answer.stdout
