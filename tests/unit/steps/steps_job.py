"""A job for steps in tests: a clock that does not wait, a scripted talosctl, nodes that look as told."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clients.talos.handshake import Sight, State
from clients.talos.process import Result
from steps.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clients.talos.process import Listener
    from clients.talos.talosctl import Invocation

CA = "-----BEGIN CERTIFICATE-----\nour cluster\n-----END CERTIFICATE-----\n"
TALOSCONFIG = f"""\
context: lab
contexts:
    lab:
        endpoints:
            - 10.0.50.11
            - 10.0.50.12
            - 10.0.50.13
        nodes:
            - 10.0.50.11
            - 10.0.50.12
            - 10.0.50.13
        ca: {base64.b64encode(CA.encode()).decode()}
        crt: Y2VydGlmaWNhdGU=
        key: YWRtaW4ga2V5
"""
UNAVAILABLE = (
    "error executing: rpc error: code = Unavailable desc = connection error: desc = "
    '"transport: Error while dialing: dial tcp 10.0.50.11:50000: connect: connection refused"'
)
FOREIGN = (
    "rpc error: code = Unavailable desc = connection error: desc = "
    '"transport: authentication handshake failed: tls: failed to verify certificate: '
    'x509: certificate signed by unknown authority"'
)
MAINTENANCE_REFUSED = (
    "error applying new configuration: rpc error: code = Unavailable desc = connection error: desc = "
    '"error reading server preface: remote error: tls: certificate required"'
)


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds


def ok(stdout: str = "", stderr: str = "") -> Result:
    return Result(0, stdout, stderr)


def failed(stderr: str) -> Result:
    return Result(1, "", stderr)


def resource(spec: Mapping[str, Any] | None = None, created: str = "2026-11-23T10:00:00Z") -> Result:
    """Return what `talosctl get -o json` prints for one resource."""
    return ok(
        json.dumps({"metadata": {"created": created}, "node": "n", "spec": spec or {}}, indent=4) + "\n"
    )


def stage(name: str, created: str = "2026-11-23T10:00:00Z") -> Result:
    return resource({"stage": name, "status": {"ready": False}}, created)


def members(*ids: str, learners: tuple[str, ...] = ()) -> Result:
    """Return what `talosctl etcd members -n ADDRESS` prints."""
    row = "{:<13}{:<19}{:<11}{:<26}{:<26}{}".format
    lines = [row("NODE", "ID", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER")]
    for identity in (*ids, *learners):
        learner = "true" if identity in learners else "false"
        urls = ("https://10.0.50.11:2380", "https://10.0.50.11:2379")
        lines.append(row("10.0.50.11", identity, "cp1", *urls, learner))
    return ok("\n".join(lines) + "\n")


@dataclass(frozen=True)
class Call:
    """One call of talosctl: its first two words without flags, all of them, its node, and everything."""

    verb: str
    words: str
    node: str
    invocation: Invocation

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(word for word in self.invocation.argv if isinstance(word, str) and word.startswith("-"))


@dataclass
class FakeTalos:
    """Answers calls by all words or the first two, and by node; the last answer of a list is repeated."""

    calls: list[Call] = field(default_factory=list)
    answers: dict[tuple[str, str], list[Result]] = field(default_factory=dict)
    before: Callable[[Call], None] = field(default=lambda _call: None)

    def on(self, verb: str, *results: Result, node: str = "*") -> None:
        self.answers[verb, node] = list(results)

    def __call__(self, invocation: Invocation, limit: float, listener: Listener | None = None, /) -> Result:
        assert limit > 0
        call = _call(invocation)
        self.calls.append(call)
        self.before(call)
        keys = ((words, node) for words in (call.words, call.verb) for node in (call.node, "*"))
        queue = next((self.answers[key] for key in keys if self.answers.get(key)), None)
        assert queue, f"unexpected call: {call.verb} on {call.node}"
        result = queue.pop(0) if len(queue) > 1 else queue[0]
        assert listener
        for line in result.stderr.splitlines():
            listener(line)
        return result

    def count(self, verb: str, node: str = "*") -> int:
        return sum(call.verb == verb and node in {"*", call.node} for call in self.calls)


def _call(invocation: Invocation) -> Call:
    words = [word for word in invocation.argv if isinstance(word, str)]
    plain = [word for word in words if not word.startswith("-")]
    nodes = [word.removeprefix("--nodes=") for word in words if word.startswith("--nodes=")]
    insecure = ["insecure"] if "--insecure" in words else []
    verb, whole = (" ".join([*words, *insecure]) for words in (plain[:2], plain))
    return Call(verb, whole, "".join(nodes), invocation)


class Looks:
    """What answers at each address, in order; the last state is repeated. Unknown addresses are silent."""

    def __init__(self) -> None:
        self.states: dict[str, list[State]] = {}
        self.looked: list[str] = []
        self.identities: dict[str, str] = {}

    def at(self, address: str, *states: State, identity: str = "one machine") -> None:
        self.states[address] = list(states)
        self.identities[address] = identity

    def __call__(self, address: str, ca: str) -> Sight:
        assert ca == CA
        self.looked.append(address)
        queue = self.states.get(address, [State.SILENT])
        state = queue.pop(0) if len(queue) > 1 else queue[0]
        identity = self.identities.get(address, "") if state is State.MAINTENANCE else ""
        detail = "connection refused" if state is State.SILENT else ""
        return Sight(address, state, detail, identity)


@dataclass
class Bench:
    """Everything around one step."""

    environment: dict[str, str]
    secrets: dict[str, str] = field(
        default_factory=lambda: {
            "talosconfig": TALOSCONFIG,
            "machineConfig": "machine: {}",
            "secrets": "cluster: {}",
        }
    )
    talos: FakeTalos = field(default_factory=FakeTalos)
    looks: Looks = field(default_factory=Looks)
    clock: FakeClock = field(default_factory=FakeClock)
    said: list[str] = field(default_factory=list)
    limit: float = 600.0

    @property
    def job(self) -> Job:
        deadline = self.clock.now() + self.limit
        return Job(
            self.environment, self.secrets, self.clock, deadline, self.said.append, self.talos, self.looks
        )

    @property
    def text(self) -> str:
        return "\n".join(self.said)
