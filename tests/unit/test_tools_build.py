"""From PATH to cache to build, with a fake `go`: no test here compiles anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lab.tools import ToolsError, cache, ensure
from lab.tools.progress import Progress
from lab.tools.run import lanes
from lab.tools.specs import BY_NAME, LAB, SPECS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Writes the file after -o as a program that says the version in FAKE_VERSION.
GO = r"""#!/bin/sh
if [ "$1" = env ]; then echo go1.26.8; exit; fi
echo "$GOPROXY $*" >> "$FAKE_CALLS"
while [ "$1" != -o ]; do shift; done
%s
printf '#!/bin/sh\necho v%%s\n' "$FAKE_VERSION" > "$2"
/bin/chmod 755 "$2"
"""
HALF = 'printf half > "$2"; echo $$ > "$FAKE_PID"; exec /bin/sleep 600'
REFUSE = 'echo "go: example.org/lib@v1.2.3: reading https://proxy.example.org/lib.zip: 403 Forbidden"; exit 1'
BROKEN = "echo '# example.org/a'; echo 'a.go:1:1: syntax error'; exit 1"
PATIENCE = 60.0


class Place:
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

    def go(self, before: str = "") -> None:
        self.put("go", GO % before)

    def ensure(self, *names: str) -> dict[str, Path]:
        return dict(ensure(names, Progress(write=self.lines.append)))

    def asked(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []

    def leftovers(self) -> list[Path]:
        return [path for path in (cache.root() / "tools").rglob("*") if path.is_file()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_a_fitting_program_on_path_is_used(place: Place) -> None:
    on_path = place.put("talosctl", "#!/bin/sh\necho Talos v1.13.4\n")

    assert place.ensure("talosctl") == {"talosctl": on_path}
    assert place.lines == [f"tools: {'talosctl v1.13.0':<34} on PATH: {on_path} (1.13.4)"]
    assert place.asked() == []


def test_a_program_of_another_version_is_passed_over_aloud(place: Place) -> None:
    on_path = place.put("talosctl", "#!/bin/sh\necho Talos v1.12.4\n")

    assert place.ensure("talosctl") == {"talosctl": cache.entry(BY_NAME["talosctl"])}
    assert place.lines[0].endswith(f"{on_path} is not 1.13.x: not used")


@pytest.mark.parametrize("script", ["#!/bin/sh\necho v1.13.0; exit 1\n", "#!/bin/sh\necho hello\n"])
def test_a_program_that_does_not_say_its_version_is_passed_over(place: Place, script: str) -> None:
    place.put("talosctl", script)

    assert place.ensure("talosctl") == {"talosctl": cache.entry(BY_NAME["talosctl"])}


def test_what_is_missing_is_built_once(place: Place) -> None:
    built = place.ensure("talosctl")["talosctl"]
    place.lines.clear()

    assert place.ensure("talosctl")["talosctl"] == built
    assert place.lines == [f"tools: {'talosctl v1.13.0':<34} cached"]
    assert len(place.asked()) == 1


def test_a_build_has_a_start_and_an_end_line(place: Place) -> None:
    place.ensure("talosctl")

    assert place.lines[0] == f"tools: {'talosctl v1.13.0':<34} building from its Go module"
    assert place.lines[1].startswith(f"tools: {'talosctl v1.13.0':<34} built (")
    assert place.lines[1].endswith(" after 0 s")
    assert place.lines[2] == "tools: 1 of 1 built after 0 s"


def test_a_built_program_of_another_version_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VERSION", "1.13.1")

    with pytest.raises(ToolsError, match=r"^talosctl v1\.13\.0: the built program reports version 1\.13\.1$"):
        place.ensure("talosctl")
    assert place.leftovers() == []


def test_a_refused_download_names_tool_module_and_repair(place: Place) -> None:
    place.go(REFUSE)

    with pytest.raises(ToolsError) as caught:
        place.ensure("talosctl")
    assert str(caught.value) == (
        "talosctl v1.13.0: the download of example.org/lib@v1.2.3 was refused; "
        "install talosctl 1.13.x on PATH"
    )
    assert place.leftovers() == []


def test_after_a_refusal_the_next_tool_of_the_module_asks_nobody(place: Place) -> None:
    place.go(REFUSE)

    with pytest.raises(ToolsError):
        place.ensure("etcd", "kwok")
    assert [call.split()[0] for call in place.asked()] == ["https://proxy.example.org", "off"]


def test_other_tools_are_built_in_spite_of_a_failure(place: Place) -> None:
    place.go(f'case "$PWD" in */pulumi) {BROKEN};; esac')

    with pytest.raises(ToolsError, match=r"(?s)^pulumi v3\.259\.0: build failed, .*syntax error$"):
        place.ensure("pulumi", "talosctl")
    assert place.leftovers() == [cache.entry(BY_NAME["talosctl"])]


def _interrupted(place: Place, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Start the command line on a build that never ends, send it `number`, and return how it ended."""
    run = subprocess.Popen(
        [sys.executable, "-m", "lab.tools", "talosctl"],
        cwd=LAB.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while not (place.pid.exists() and place.pid.read_text(encoding="utf-8").strip()):
        assert time.monotonic() < deadline, "the fake build did not start"
        time.sleep(0.05)
    run.send_signal(number)
    output, errors = run.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(run.args, run.returncode, output, errors)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_build_and_leaves_no_half_binary(place: Place, number: signal.Signals) -> None:
    place.go(HALF)

    ended = _interrupted(place, number)

    assert ended.returncode == 128 + number
    assert ended.stderr.splitlines()[-1] == (
        "tools: interrupted; what is compiled stays in Go's cache, the next run resumes"
    )
    assert place.leftovers() == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.pid.read_text(encoding="utf-8")), 0)


def test_the_run_after_an_interrupt_succeeds(place: Place) -> None:
    place.go(HALF)
    _interrupted(place, signal.SIGINT)
    place.go()

    assert place.ensure("talosctl")["talosctl"].read_text(encoding="utf-8").startswith("#!/bin/sh")


def test_leftovers_of_a_killed_run_are_removed(place: Place) -> None:
    target = cache.entry(BY_NAME["talosctl"])
    target.parent.mkdir(parents=True)
    target.with_name(".talosctl.1").write_text("half", encoding="utf-8")

    place.ensure("talosctl")

    assert place.leftovers() == [target]


def test_a_failed_publication_leaves_the_earlier_entry(place: Place) -> None:
    target = place.ensure("talosctl")["talosctl"]
    earlier = target.read_bytes()

    def fail() -> None:
        with cache.publishing(target) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert target.read_bytes() == earlier
    assert place.leftovers() == [target]


@pytest.fixture
def held(place: Place) -> Iterator[threading.Event]:
    """Hold the lock of the module of talosctl until the event is set."""
    assert place.lines == []
    release, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with cache.locked("toolchain/talos", lambda: None):
            taken.set()
            release.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(PATIENCE)
    yield release
    release.set()
    holder.join()


def test_a_second_process_waits_and_takes_what_the_first_built(place: Place, held: threading.Event) -> None:
    target = cache.entry(BY_NAME["talosctl"])
    waiting: list[str] = []

    def finish_first(line: str) -> None:
        waiting.append(line)
        if "waiting" in line:
            target.parent.mkdir(parents=True)
            target.write_text("built by the first", encoding="utf-8")
            held.set()

    assert ensure(["talosctl"], Progress(write=finish_first)) == {"talosctl": target}
    assert waiting[0].endswith("waiting: another process builds from the same module")
    assert waiting[1].endswith("built by another process meanwhile")
    assert place.asked() == []


def test_a_long_build_says_every_half_minute_that_it_lives() -> None:
    lines: list[str] = []
    seconds = [0.0]
    progress = Progress(write=lines.append, clock=lambda: seconds[0])

    progress.start("talosctl v1.13.0", "building", lambda: ", 7 packages compiled")
    for now in (29.0, 30.0, 45.0, 60.0):
        seconds[0] = now
        progress.beat()
    seconds[0] = 61.0
    progress.end("talosctl v1.13.0", "built")
    seconds[0] = 100.0
    progress.beat()

    title = f"tools: {'talosctl v1.13.0':<34}"
    assert lines == [
        f"{title} building",
        f"{title} still building, 30 s, 7 packages compiled",
        f"{title} still building, 60 s, 7 packages compiled",
        f"{title} built after 61 s",
    ]


def test_tools_of_one_module_share_a_lane_and_what_is_needed_first_comes_first() -> None:
    grouped = [[spec.name for spec in lane] for lane in lanes(list(SPECS))]

    assert grouped[0] == ["pulumi"]
    assert grouped[1] == ["talosctl"]
    assert grouped[2][:2] == ["kube-apiserver", "etcd"]
    assert len({spec.module_dir for spec in SPECS}) == len(grouped)


def test_a_change_of_own_sources_is_another_entry_but_a_test_file_is_not(tmp_path: Path) -> None:
    spec = BY_NAME["talos-sim"]
    module = tmp_path / spec.module_dir
    module.mkdir()
    (module / "main.go").write_text("package main\n", encoding="utf-8")
    before = cache.digest(spec, tmp_path)
    (module / "main_test.go").write_text("package main\n", encoding="utf-8")

    assert cache.digest(spec, tmp_path) == before
    (module / "main.go").write_text("package main // changed\n", encoding="utf-8")
    assert cache.digest(spec, tmp_path) != before


def test_only_the_newest_own_builds_are_kept(tmp_path: Path) -> None:
    entries = [tmp_path / f"own-{number}" for number in range(5)]
    for age, directory in enumerate(reversed(entries)):
        directory.mkdir()
        os.utime(directory, (1000 - age, 1000 - age))

    cache.drop_old_own_builds(entries[-1] / "talos-sim")

    assert [path for path in entries if path.exists()] == entries[2:]
