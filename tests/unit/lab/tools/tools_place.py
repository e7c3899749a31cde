"""A fake `go`, programs on PATH and an empty cache, for tests that compile nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.tools import cache, ensure
from lab.tools.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# Writes the file after -o as a program that says the version in FAKE_VERSION.
GO = r"""#!/bin/sh
if [ "$1" = env ]; then echo go1.26.8; exit; fi
echo "$GOPROXY $*" >> "$FAKE_CALLS"
%s
while [ "$1" != -o ]; do shift; done
%s
printf '#!/bin/sh\necho v%%s\n' "$FAKE_VERSION" > "$2"
/bin/chmod 755 "$2"
"""
HALF = 'printf half > "$2"; echo $$ > "$FAKE_PID"; exec /bin/sleep 600'
REFUSE = 'echo "go: example.org/lib@v1.2.3: reading https://proxy.example.org/lib.zip: 403 Forbidden"; exit 1'
BROKEN = "echo '# example.org/a'; echo 'a.go:1:1: syntax error'; exit 1"
PATIENCE = 60.0


class ToolsPlace:
    """A directory for programs on PATH, and an empty cache."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin = directory / "bin"
        self.calls = directory / "calls"
        self.pid = directory / "pid"
        self.lines: list[str] = []
        self.bin.mkdir()
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("LAB_CACHE_DIR", str(directory / "cache"))
        monkeypatch.setenv("GOPROXY", "https://proxy.example.org")
        monkeypatch.setenv("FAKE_CALLS", str(self.calls))
        monkeypatch.setenv("FAKE_PID", str(self.pid))
        monkeypatch.setenv("FAKE_VERSION", "1.13.0")
        self.go()

    def put(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        return path

    def go(self, while_building: str = "", *, first: str = "") -> None:
        """Put a fake `go` on PATH; `while_building` sees the output file as $2, `first` the arguments."""
        self.put("go", GO % (first, while_building))

    def ensure(self, *names: str) -> dict[str, Path]:
        return dict(ensure(names, Progress(write=self.lines.append)))

    def asked(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []

    def leftovers(self) -> list[Path]:
        return [path for path in (cache.root() / "tools").rglob("*") if path.is_file()]
