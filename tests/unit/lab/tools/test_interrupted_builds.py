"""Builds that are interrupted, fail half-way, or meet another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lab.tools import cache, ensure
from lab.tools.pins import BY_NAME, LAB
from lab.tools.progress import Progress
from tests.unit.lab.tools.tools_place import HALF, PATIENCE, ToolsPlace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolsPlace:
    return ToolsPlace(tmp_path, monkeypatch)


def _interrupted(place: ToolsPlace, number: signal.Signals) -> subprocess.CompletedProcess[str]:
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
def test_an_interrupt_ends_the_build_and_leaves_no_half_binary(
    place: ToolsPlace, number: signal.Signals
) -> None:
    place.go(HALF)

    ended = _interrupted(place, number)

    assert ended.returncode == 128 + number
    assert ended.stderr.splitlines()[-1] == (
        "tools: interrupted; what is compiled stays in Go's cache, the next run resumes"
    )
    assert place.leftovers() == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(place.pid.read_text(encoding="utf-8")), 0)


def test_the_run_after_an_interrupt_succeeds(place: ToolsPlace) -> None:
    place.go(HALF)
    _interrupted(place, signal.SIGINT)
    place.go()

    assert place.ensure("talosctl")["talosctl"].read_text(encoding="utf-8").startswith("#!/bin/sh")


def test_leftovers_of_a_killed_run_are_removed(place: ToolsPlace) -> None:
    target = cache.entry(BY_NAME["talosctl"])
    target.parent.mkdir(parents=True)
    target.with_name(".talosctl.1").write_text("half", encoding="utf-8")

    place.ensure("talosctl")

    assert place.leftovers() == [target]


def test_a_failed_publication_leaves_the_earlier_entry(place: ToolsPlace) -> None:
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
def held(place: ToolsPlace) -> Iterator[threading.Event]:
    """Hold the lock of the module of talosctl until the event is set."""
    assert place.lines == []
    release, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with cache.locked("go_modules/talos", lambda: None):
            taken.set()
            release.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(PATIENCE)
    yield release
    release.set()
    holder.join()


def test_a_second_process_waits_and_takes_what_the_first_built(
    place: ToolsPlace, held: threading.Event
) -> None:
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
