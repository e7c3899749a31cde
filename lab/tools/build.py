"""Building one tool from its Go module, or copying one directory out of it, into the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tools import cache, golang, version_ranges
from lab.tools.pins import LAB, Spec
from lab.tools.proxy_refusal import announced, refused_module

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.tools.processes import Children

_TAIL_LINES = 12


class BuildError(Exception):
    """A tool could not be built; the text names it, the cause and the repair."""


@dataclass(slots=True)
class Builder:
    """Builds tools with one Go toolchain.

    Attributes:
        go: The `go` program.
        children: Where child processes are kept, so that an interrupt can end them.
        parallel: How many compilers one build may run.
    """

    go: Path
    children: Children
    parallel: int
    _refused: set[str] = field(default_factory=set)

    def build(self, spec: Spec, target: Path, log: Path) -> float:
        """Put `spec` into the cache at `target` and return the processor seconds it took.

        Raises:
            BuildError: the download was refused, the build failed, or the sources changed meanwhile.
            StoppedError: the run was interrupted.
        """
        # The output is appended: an old log would show an old refusal as the cause of this failure.
        log.unlink(missing_ok=True)
        with cache.publishing(target) as temporary:
            seconds = (
                self._copy(spec, temporary, log) if spec.directory else self._compile(spec, temporary, log)
            )
            # Sources edited during the build would lie under the digest of what they were before.
            if cache.entry(spec) != target:
                raise BuildError(f"{spec.title}: lab/{spec.module_dir} changed during the build; run again")
        # Only after the new entry is in place: a failed build keeps the last good one.
        cache.drop_old(target)
        return seconds

    def _compile(self, spec: Spec, temporary: Path, log: Path) -> float:
        tags = [f"-tags={spec.tags}"] if spec.tags else []
        # A plain build would ask again for what was refused.
        if self._refused:
            self._fetch(spec, tags, log)
        flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in spec.variables)])
        options = ["-v", f"-p={self.parallel}", *tags, f"-ldflags={flags}", "-o", str(temporary)]
        seconds = self._go(spec, ["build", *options, spec.package], log)
        # Before it is published: a linker flag with a wrong name is silently ignored by Go.
        check_version(spec, temporary)
        return seconds

    def _fetch(self, spec: Spec, tags: list[str], log: Path) -> None:
        """Download what `spec` needs, layer by layer; what was refused in this run is not asked for again."""
        while True:
            log.unlink(missing_ok=True)
            env = golang.environment(dict(os.environ), offline=True)
            argv = [str(self.go), "list", "-deps", *tags, spec.package]
            if self.children.run(argv, LAB / spec.module_dir, env, log).code == 0:
                break
            missing = announced(log.read_text(encoding="utf-8", errors="replace"))
            refused = sorted(self._refused.intersection(missing))
            if refused:
                raise refusal(spec, refused[0])
            log.unlink()
            # Where nothing is missing the build itself says what is wrong.
            if not missing:
                break
            self._go(spec, ["mod", "download", *missing], log)
        log.unlink(missing_ok=True)

    def _copy(self, spec: Spec, temporary: Path, log: Path) -> float:
        module = f"{spec.package}@{spec.version}"
        # Another tool of this run met the refusal already; asking again only costs time.
        if module in self._refused:
            raise refusal(spec, module)
        seconds = self._go(spec, ["mod", "download", "-json", spec.package], log)
        text = log.read_text(encoding="utf-8")
        # The log has stdout and stderr, so download lines may stand around the JSON.
        answer = json.loads(text[text.index("{") : text.rindex("}") + 1])
        shutil.copytree(Path(answer["Dir"]) / spec.directory, temporary)
        for path in [temporary, *temporary.rglob("*")]:
            # The module cache is read-only; copies that nobody may write could not be removed either.
            path.chmod(path.stat().st_mode | 0o200)
        return seconds

    def _go(self, spec: Spec, argv: list[str], log: Path) -> float:
        env = golang.environment(dict(os.environ))
        ended = self.children.run([self.go, *argv], LAB / spec.module_dir, env, log)
        if ended.code == 0:
            return ended.cpu_seconds
        text = log.read_text(encoding="utf-8", errors="replace")
        module = refused_module(text)
        if module is None:
            raise BuildError(f"{spec.title}: build failed, see {log}\n{_tail(text)}")
        # Remembered for this run only: the next one may have another proxy.
        self._refused.add(module)
        raise refusal(spec, module)


def refusal(spec: Spec, module: str) -> BuildError:
    """Return the error for a tool whose `module` (path@version) nobody gives out."""
    return BuildError(f"{spec.title}: the download of {module} was refused; {spec.by_hand}")


def _tail(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-_TAIL_LINES:])


def check_version(spec: Spec, binary: Path) -> None:
    """Run a fresh binary once.

    Raises:
        BuildError: it does not run, or reports another version than the pinned one.
    """
    if spec.accepts is None:
        return
    found = reported(spec, binary)
    if found != version_ranges.parse(spec.version):
        raise BuildError(f"{spec.title}: the built program reports version {version_ranges.dotted(found)}")


def reported(spec: Spec, binary: Path) -> version_ranges.Version | None:
    """Return the version that `binary` reports, None where it does not run or says nothing of the kind."""
    try:
        answer = subprocess.run(
            [binary, *spec.version_args],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            # Something on PATH that waits for input or the network must not hold up the whole run.
            timeout=30,
            env=quiet(os.environ),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return version_ranges.parse(answer.stdout) if answer.returncode == 0 else None


def quiet(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a version command asks no network and writes nothing to the home."""
    ours = {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": str(cache.root() / "pulumi-home")}
    return dict(inherited) | ours
