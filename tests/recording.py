"""A Pulumi monitor that keeps what a program really sent: options, order, secret marks, registered outputs.

What only the engine does is absent: inheritance of `protect` by children, execution, ignored changes.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from pulumi.runtime import rpc, set_all_config, set_mocks, settings, stack
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SIGNATURE = rpc._special_sig_key
STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Secret:
    """A value that was marked as secret on the wire."""

    value: Any


class Unknown:
    """A value that only an update can tell."""

    def __repr__(self) -> str:
        return "Unknown()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown)

    __hash__ = object.__hash__


def decode(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return wire data with its secret and unknown marks as objects."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if value == rpc.UNKNOWN:
        return Unknown()
    if not isinstance(value, dict):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if value.get(SIGNATURE) == rpc._special_secret_sig:
        return Secret(decode(value["value"]))
    return {key: decode(item) for key, item in value.items()}


@dataclass
class Registered:
    """One resource as the program registered it."""

    request: Any
    urn: str
    outputs: dict[str, Any] | None = None
    """What `register_outputs` sent; None if it was not called."""

    @property
    def type(self) -> str:
        """Type token."""
        return str(self.request.type)

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs with `Secret` and `Unknown` marks."""
        decoded = decode(json_format.MessageToDict(self.request.object))
        assert isinstance(decoded, dict)
        return decoded

    @property
    def timeouts(self) -> dict[str, str]:
        """Custom timeouts by operation."""
        limits = self.request.customTimeouts
        return {"create": limits.create, "update": limits.update, "delete": limits.delete}


@dataclass
class Graph:
    """All resources of a run by logical name, in the order of their registration."""

    resources: dict[str, Registered] = field(default_factory=dict)
    exports: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Registered:
        return self.resources[name]

    def types(self) -> set[tuple[str, str]]:
        """Return all (type, name)."""
        return {(resource.type, name) for name, resource in self.resources.items()}

    def parent(self, name: str) -> str:
        """Return the logical name of the parent; empty for a resource of the stack itself."""
        parent = str(self[name].request.parent)
        return "" if f"::{STACK}::" in parent else self.name_of(parent)

    def dependencies(self, name: str) -> set[str]:
        """Return the logical names of what the resource itself waits for."""
        return {self.name_of(urn) for urn in self[name].request.dependencies}

    def waits_for(self, name: str) -> set[str]:
        """Return everything that is complete before this resource is made: through parents, transitively."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            current = todo.pop()
            parent = self.parent(current)
            found = self.dependencies(current) | ({parent} if parent else set())
            todo += found - seen
            seen |= found
        return seen

    def name_of(self, urn: str) -> str:
        """Return the logical name in a URN."""
        return urn.split("::", 3)[3]

    def provider(self, name: str) -> str:
        """Return the logical name of the provider of a custom resource; empty for none."""
        reference = str(self[name].request.provider)
        return self.name_of(reference.rpartition("::")[0]) if reference else ""


class FakeCloud(Mocks):
    """Answers as the providers would: a step prints its name, a release has revision 1."""

    def __init__(self, *, preview: bool) -> None:
        self._preview = preview

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return id and outputs; in a preview the providers know neither."""
        if self._preview:
            return "", dict(args.inputs)
        outputs: dict[str, Any] = {}
        if args.typ == "command:local:Command":
            outputs = {"stdout": f"stdout of {args.name}", "stderr": ""}
        if args.typ == "kubernetes:helm.sh/v3:Release":
            outputs = {"status": {"revision": 1, "status": "deployed"}}
        return f"{args.name}-id", {**args.inputs, **outputs}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Refuse: an invoke runs in every preview."""
        raise AssertionError(f"the program invoked {args.token}")


class RecordingMonitor(MockMonitor):
    """Keeps every message of the program."""

    def __init__(self, *, preview: bool) -> None:
        super().__init__(FakeCloud(preview=preview))
        self.graph = Graph()

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - gRPC names
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != STACK:
            assert request.name not in self.graph.resources, f"two resources named {request.name}"
            self.graph.resources[request.name] = Registered(request, str(response.urn))
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802
        outputs = decode(json_format.MessageToDict(request.outputs))
        if f"::{STACK}::" in request.urn:
            self.graph.exports = outputs
        else:
            self.graph[self.graph.name_of(request.urn)].outputs = outputs
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def record(
    program: Callable[[], None],
    *,
    preview: bool = False,
    config: Mapping[str, str] | None = None,
    secret_keys: tuple[str, ...] = (),
) -> Graph:
    """Run a Pulumi program against the recording monitor and return what it registered."""
    monitor = RecordingMonitor(preview=preview)
    with _event_loops() as loop:
        set_mocks(monitor.mocks, project="homelab", stack="test", preview=preview, monitor=monitor)
        _forget_stack()  # the one of set_mocks: run_in_stack makes its own
        set_all_config(dict(config or {}), list(secret_keys))
        try:
            loop.run_until_complete(stack.run_in_stack(program))
        finally:
            _forget_stack()
            set_all_config({}, [])
    return monitor.graph


@contextmanager
def _event_loops() -> Iterator[asyncio.AbstractEventLoop]:
    """Give a loop for the program; its one worker, on which the monitor answers, has another."""
    loop, answering = asyncio.new_event_loop(), asyncio.new_event_loop()
    worker = ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(answering,))
    loop.set_default_executor(worker)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        worker.shutdown()
        asyncio.set_event_loop(None)
        answering.close()
        loop.close()


def _forget_stack() -> None:
    settings.set_root_resource(None)  # type: ignore[arg-type]
