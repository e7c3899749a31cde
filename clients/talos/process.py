"""Runs talosctl: secrets as anonymous files, a minimal environment, a limit of its own for every call."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

from clients.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from clients.talos.talosctl import DataArg, Invocation

TALOSCTL = "talosctl"
# Short enough that a person does not take a slow node for a hang, long enough not to flood the output.
IDLE = 10.0  # seconds of silence after which a listener is told
GRACE = 5.0  # seconds between asking a child to end and ending it
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Result:
    """What one call left behind; the streams may hold secrets and are kept out of `repr`.

    Attributes:
        status: exit status, or None when the limit passed.
    """

    status: int | None
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.status == 0


class Listener(Protocol):
    """Is told every line of stderr as it comes, and None after each 10 s of silence."""

    def __call__(self, line: str | None, /) -> None:
        """Take one line."""


class TalosctlRunner(Protocol):
    """Runs an invocation within so many seconds."""

    def __call__(self, invocation: Invocation, limit: float, listener: Listener | None = None, /) -> Result:
        """Return what the call left behind."""


def talosctl(invocation: Invocation, limit: float, listener: Listener | None = None, /) -> Result:
    """Run one call of talosctl and return its result, whatever its exit status.

    Raises:
        OperationError: talosctl is not on PATH, or cannot be started.
    """
    # Descriptors close before the caller goes on, so no secret outlives the call that needed it.
    with ExitStack() as stack:
        descriptors = {
            name: stack.enter_context(anonymous_file(content)) for name, content in invocation.secrets.items()
        }
        argv = [TALOSCTL, *(_argument(word, descriptors) for word in invocation.argv)]
        process = stack.enter_context(_started(argv, tuple(descriptors.values())))
        # talosctl retries some calls for ever; only our own limit ends them.
        seconds = min(invocation.limit, limit)
        return _collect(process, time.monotonic() + seconds, listener or _ignore)


def _argument(word: str | DataArg, descriptors: Mapping[str, int]) -> str:
    """Return the argument with the path under which the child finds its data."""
    return word if isinstance(word, str) else f"{word.prefix}/dev/fd/{descriptors[word.name]}"


def _ignore(_line: str | None, /) -> None:
    """Listen to nothing."""


def environment() -> dict[str, str]:
    """Return the child's environment.

    Only PATH: no TALOSCONFIG or TALOS_HOME of the caller may steer a call, no proxy may stand between us and
    a node of the LAN, and without HOME talosctl can neither read nor create ~/.talos.
    """
    return {"PATH": os.environ.get("PATH", os.defpath)}


@contextmanager
def _started(argv: list[str], descriptors: tuple[int, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the program and make sure that it has ended afterwards, whatever happens in between."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd="/",  # a file named "-" in the project would otherwise catch `kubeconfig -`
            pass_fds=descriptors,
        )
    except FileNotFoundError:
        raise OperationError(
            "talosctl is not on PATH",
            "install talosctl of the cluster's Talos version and run `pulumi up` again",
        ) from None
    except OSError as error:
        raise OperationError(
            f"talosctl on PATH cannot be started: {(error.strerror or str(error)).lower()}",
            "`talosctl version --client`: it must be a program for this machine",
        ) from None
    with process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process if it still runs."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _collect(process: subprocess.Popen[bytes], deadline: float, listener: Listener) -> Result:
    """Read both streams until the process closes them or the deadline passes."""
    collected: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    lines = _Lines(listener)
    with selectors.DefaultSelector() as selector:
        selector.register(_stream(process.stdout), selectors.EVENT_READ, "stdout")
        selector.register(_stream(process.stderr), selectors.EVENT_READ, "stderr")
        while selector.get_map():
            remaining = deadline - time.monotonic()
            # What was printed so far may hold the reason, so it is kept.
            if remaining <= 0:
                return Result(None, _text(collected["stdout"]), _text(collected["stderr"]))
            ready = selector.select(min(remaining, IDLE))
            if not ready:
                listener(None)
            for key, _events in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                collected[key.data] += chunk
                if key.data == "stderr":
                    lines.feed(chunk)
    return Result(process.wait(), _text(collected["stdout"]), _text(collected["stderr"]))


class _Lines:
    """Cuts a stream of bytes into lines for a listener."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Pass on every line that the chunk completes."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            self._listener(_text(line))


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    """Return the stream, which exists because it was asked for."""
    if stream is None:  # pragma: no cover - the type of Popen cannot say that PIPE was given
        raise AssertionError
    return stream


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "replace")


@contextmanager
def anonymous_file(content: str) -> Iterator[int]:
    """Yield the descriptor of a file without a name that holds the content; nobody else may open it."""
    # A file in memory has no name that another process could open, and nothing is left after a kill.
    create: Callable[[str], int] = getattr(os, "memfd_create", unlinked_file)
    descriptor = create("step")
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def unlinked_file(prefix: str) -> int:
    """Return the descriptor of an empty file whose name is gone; for systems without memory files (macOS)."""
    import tempfile  # noqa: PLC0415 - needed on few systems, and slow to load

    descriptor, path = tempfile.mkstemp(prefix=prefix)
    os.unlink(path)  # noqa: PTH108 - a name and a descriptor, not a path to work with
    return descriptor
