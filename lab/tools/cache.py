"""The per-user cache: where entries lie, how they are published, and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tools.pins import LAB, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KEPT = 3


def root() -> Path:
    """Return the cache directory: `LAB_CACHE_DIR`, else `talos-cilium-lab` in the user's cache directory."""
    chosen = os.environ.get("LAB_CACHE_DIR")
    if chosen:
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "talos-cilium-lab"


def digest(spec: Spec, lab: Path = LAB) -> str:
    """Return 12 hex digits over everything in the repository that shapes the build of `spec`."""
    total = hashlib.sha256()
    # The version is left out: the module's go.mod pins it, and the entry's name shows it.
    for part in (spec.package, spec.tags, spec.directory, repr(spec.variables)):
        total.update(part.encode() + b"\0")
    module = lab / spec.module_dir
    for path in _sources(module):
        # Relative, so that two checkouts with the same sources share one build.
        total.update(str(path.relative_to(module)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def entry(spec: Spec, lab: Path = LAB) -> Path:
    """Return where the cached binary (or directory) of `spec` lies or will lie."""
    return root() / "tools" / spec.name / f"{spec.version or 'own'}-{digest(spec, lab)}" / spec.name


def _sources(module: Path) -> list[Path]:
    kept = (path for path in module.rglob("*") if path.is_file() and not path.name.endswith("_test.go"))
    return sorted(path for path in kept if path.suffix in {".go", ".mod", ".sum"} or _embedded(path, module))


def _embedded(path: Path, module: Path) -> bool:
    """Tell whether a file that is not Go can be embedded: anything but documents and test data."""
    parts = path.relative_to(module).parts
    return (
        path.suffix != ".md" and "testdata" not in parts and not any(part.startswith(".") for part in parts)
    )


@contextlib.contextmanager
def publishing(target: Path) -> Iterator[Path]:
    """Give a path beside `target` to write to; move it there in one step when the block succeeds.

    An interrupted block leaves no `target`. The caller holds the lock: leftovers are those of killed runs.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f".{target.name}.*"):
        _remove(leftover)
    # Beside the target, because a rename from another file system fails.
    temporary = target.parent / f".{target.name}.{os.getpid()}"
    try:
        yield temporary
        # A rename replaces a file but not a directory that has something in it.
        if target.is_dir():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def drop_old(target: Path) -> None:
    """Keep the newest entries of a tool: each change of its sources or pins adds one."""
    entries = sorted(target.parent.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in entries[_KEPT:]:
        _remove(old)


@contextlib.contextmanager
def locked(name: str, waiting: Callable[[], None], pause: float = 0.5) -> Iterator[None]:
    """Hold the lock `name` of the cache.

    Args:
        name: Name of the lock; slashes become dashes.
        waiting: Called once before each further try; may raise to give up.
        pause: Seconds between tries.
    """
    directory = root() / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    # Lock files stay: removing one while somebody holds it would allow a second holder.
    with (directory / name.replace("/", "-")).open("a") as handle:
        while True:
            try:
                # Without blocking, so that an interrupt is noticed and the wait can be told.
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(pause)
        yield
