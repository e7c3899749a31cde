"""One run: PATH, then cache, then builds, two modules at a time."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tools import cache, golang, version_ranges
from lab.tools.build import Builder, BuildError, reported
from lab.tools.pins import LAB, Spec, select
from lab.tools.processes import Children, StoppedError
from lab.tools.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import FrameType

# Two modules at a time fill two cores: while one links on one core the other compiles. More only compete.
_LANES = 2


class ToolsError(Exception):
    """Some tools are missing; the text has one line for each."""


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived; `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


def ensure(names: Iterable[str] | None = None, progress: Progress | None = None) -> Mapping[str, Path]:
    """Return the path of each tool, building what is neither on PATH nor in the cache.

    Args:
        names: Names of tools; all for None.
        progress: Where lines go; stderr by default.

    Raises:
        ValueError: a name is unknown.
        ToolsError: some tools are not available; the others are in the cache.
        Interrupted: a signal ended the run; the next run resumes.
    """
    told = progress or Progress()
    specs = select(None if names is None else list(names))
    found = {spec.name: path for spec in specs if (path := _present(spec, told)) is not None}
    missing = [spec for spec in specs if spec.name not in found]
    if missing:
        found |= _build_all(missing, told)
    return {spec.name: found[spec.name] for spec in specs}


def _present(spec: Spec, told: Progress) -> Path | None:
    on_path = shutil.which(spec.name, path=users_path(os.environ.get("PATH", ""))) if spec.accepts else None
    if spec.accepts and on_path:
        version = reported(spec, Path(on_path))
        if version and spec.accepts.holds(version):
            told.say(spec.title, f"on PATH: {on_path} ({version_ranges.dotted(version)})")
            return Path(on_path)
        # Said, because whoever installed it will wonder why a build starts.
        told.say(spec.title, f"{on_path} is not {spec.accepts}: not used")
    target = cache.entry(spec)
    if target.exists():
        told.say(spec.title, "cached")
        return target
    return None


def users_path(path: str) -> str:
    """Return `path` without directories of this repository and of the cache.

    The lab puts links to its tools on PATH for people; taken for tools, they would link to themselves.
    """
    ours = (LAB.parent, cache.root())
    directories = {each: Path(each).resolve() for each in path.split(os.pathsep)}
    kept = [each for each, where in directories.items() if not any(map(where.is_relative_to, ours))]
    return os.pathsep.join(kept)


@dataclass(slots=True)
class _Run:
    """What the lanes of one run share."""

    builder: Builder
    told: Progress
    built: dict[str, Path] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def lane(self, specs: list[Spec]) -> None:
        """Build the tools of one Go module in turn: together they would compile the same packages twice."""
        for spec in specs:
            if self.builder.children.stopped.is_set():
                return
            try:
                self.built[spec.name] = self._one(spec)
            except StoppedError:
                return
            except (BuildError, OSError) as error:
                # The lane goes on: one refused download leaves the rest to be built and reported together.
                self.failed[spec.name] = str(error)

    def _one(self, spec: Spec) -> Path:
        target = cache.entry(spec)
        log = cache.root() / "logs" / f"{spec.name}.log"
        # By module and not by tool: two tools of a module compile the same packages.
        with cache.locked(spec.module_dir, lambda: self._other(spec)):
            # Looked at again under the lock, since the other process may have built just this.
            if target.exists():
                self.told.say(spec.title, "built by another process meanwhile")
                return target
            verb = "copied" if spec.directory else "built"
            self.told.start(spec.title, "building from its Go module", lambda: _compiled(log))
            outcome = "stopped"
            try:
                cpu = self.builder.build(spec, target, log)
                outcome = f"{verb} ({cpu:.0f} s of processor time, {_size(target) / 1e6:.0f} MB)"
            except (BuildError, OSError):
                outcome = "failed"
                raise
            finally:
                self.told.end(spec.title, outcome)
        return target

    def _other(self, spec: Spec) -> None:
        if self.builder.children.stopped.is_set():
            raise StoppedError
        self.told.wait(spec.title, "waiting: another process builds from the same module")


def _compiled(log: Path) -> str:
    """Return how far a build is: `go build -v` names each module it downloads and package it compiles."""
    try:
        lines = log.read_bytes().splitlines()
    except FileNotFoundError:
        return ""
    downloads = sum(line.startswith(b"go: downloading ") for line in lines)
    return f", {downloads} modules downloaded, {len(lines) - downloads} packages compiled"


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def lanes(specs: list[Spec]) -> list[list[Spec]]:
    """Group specs by Go module, in the order of their first member."""
    grouped: dict[str, list[Spec]] = {}
    for spec in specs:
        grouped.setdefault(spec.module_dir, []).append(spec)
    return list(grouped.values())


def _build_all(specs: list[Spec], told: Progress) -> dict[str, Path]:
    started = time.monotonic()
    with _signals():
        try:
            run = _Run(Builder(golang.find(told), Children(), parallel=os.cpu_count() or 2), told)
            _run_lanes(run, specs)
        except golang.NoGoError as error:
            raise ToolsError(str(error)) from error
        except KeyboardInterrupt:
            told.write("tools: interrupted; what is compiled stays in Go's cache, the next run resumes")
            raise
    told.write(f"tools: {len(run.built)} of {len(specs)} built after {time.monotonic() - started:.0f} s")
    if run.failed:
        raise ToolsError("\n".join(run.failed.values()))
    return run.built


def _run_lanes(run: _Run, specs: list[Spec]) -> None:
    with ThreadPoolExecutor(_LANES) as pool:
        futures = [pool.submit(run.lane, lane) for lane in lanes(specs)]
        try:
            _watch(futures, run.told)
        except BaseException:
            # Here and not in the handler: leaving the pool waits for its threads, which wait for their
            # children.
            run.builder.children.stop()
            raise


def _watch(futures: list[Future[None]], told: Progress) -> None:
    while wait(futures, timeout=1).not_done:
        # The main thread only watches: Python runs signal handlers nowhere else.
        told.beat()
    for future in futures:
        future.result()


@contextmanager
def _signals() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `Interrupted` while builds run; outside the main thread do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # impatience must not cut the ending of builds short
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
