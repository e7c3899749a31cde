"""Running talosctl: what it gets and what it does not get."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from clients.talos import process
from clients.talos.process import Result, anonymous_file, talosctl
from clients.talos.talosctl import DataArg, Invocation
from tests.unit.steps.steps_program import Program, make_program

if TYPE_CHECKING:
    from collections.abc import Callable

CALL = Invocation(
    ("apply-config", DataArg("--file=", "config"), DataArg("--talosconfig=", "talosconfig")),
    "apply",
    30,
    {"config": "token: s3cret", "talosconfig": "key: admin"},
)


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    made = make_program(tmp_path)
    monkeypatch.setenv("PATH", made.path)
    return made


def test_data_goes_through_files_without_a_name(program: Program) -> None:
    program.answers({"apply-config": {"stdout": "out", "stderr": "err", "status": 3}})
    result = talosctl(CALL, 30)
    assert result == Result(3, "out", "err")
    assert not result.ok
    (call,) = program.calls
    assert list(call["data"].values()) == ["token: s3cret", "key: admin"]
    assert call["again"] == list(call["data"].values()), "talosctl may open a file twice"
    assert call["modes"] == ["0o600", "0o600"]
    assert call["names"] == [0, 0]
    assert call["stdin"] == ""
    assert not any("s3cret" in word or "admin" in word for word in call["argv"])


def test_the_environment_is_nothing_but_the_path(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TALOSCONFIG", "TALOS_HOME", "HOME", "PULUMI_CONFIG_PASSPHRASE", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "/somewhere")
    program.answers({"apply-config": {}})
    talosctl(CALL, 30)
    (call,) = program.calls
    assert set(call["environment"]) - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} == {"PATH"}
    assert call["cwd"] == "/"


def test_no_descriptor_is_left_open(program: Program) -> None:
    program.answers({"apply-config": {}})
    before = open_descriptors()
    talosctl(CALL, 30)
    assert open_descriptors() == before


class Ending:
    """A listener for which time is over as soon as it has heard what it waits for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *last: str | None) -> None:
        self.heard: list[str | None] = []
        self.last = last
        monkeypatch.setattr(time, "monotonic", self.now)

    def __call__(self, line: str | None, /) -> None:
        self.heard.append(line)

    def now(self) -> float:
        return 1e9 if set(self.last) <= set(self.heard) else 0.0


def test_a_call_ends_with_its_limit(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.answers({"apply-config": {"stdout": "half", "stderr": "a line\nhalf a", "hang": 600}})
    result = talosctl(CALL, 30, Ending(monkeypatch, "a line"))
    assert (result.status, result.stderr) == (None, "a line\nhalf a")
    with pytest.raises(ProcessLookupError):
        os.kill(program.calls[0]["pid"], 0)


def test_a_child_that_does_not_want_to_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stubborn = tmp_path / "talosctl"
    stubborn.write_text("#!/bin/sh\ntrap '' TERM\necho $$ >&2\necho ready >&2\nwhile :; do sleep 1; done\n")
    stubborn.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(process, "GRACE", 0.1)
    result = talosctl(Invocation(("version",), "ask", 30), 30, Ending(monkeypatch, "ready"))
    assert result.status is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(result.stderr.split()[0]), 0)


def test_a_listener_hears_lines_as_they_come_and_silence(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "IDLE", 0.01)
    program.answers({"apply-config": {"stderr": "waiting for a\nwaiting for b\nrest", "hang": 600}})
    ending = Ending(monkeypatch, "waiting for b", None)
    talosctl(CALL, 30, ending)
    assert [line for line in ending.heard if line is not None] == ["waiting for a", "waiting for b"]
    assert None in ending.heard


def test_no_talosctl_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperationError) as caught:
        talosctl(CALL, 30)
    assert str(caught.value) == (
        "talosctl is not on PATH\n"
        "check: install talosctl of the cluster's Talos version and run `pulumi up` again"
    )


def test_a_talosctl_for_another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "talosctl"
    program.write_bytes(b"\xcf\xfa\xed\xfe")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperationError) as caught:
        talosctl(CALL, 30)
    assert str(caught.value) == (
        "talosctl on PATH cannot be started: exec format error\n"
        "check: `talosctl version --client`: it must be a program for this machine"
    )


@pytest.mark.parametrize("memory", [True, False], ids=["memory", "unlinked"])
def test_anonymous_files(memory: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # noqa: FBT001
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with anonymous_file("content") as descriptor:
        assert os.fstat(descriptor).st_mode & 0o777 == 0o600
        assert os.fstat(descriptor).st_nlink == 0
        assert os.read(descriptor, 100) == b"content"
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_results_do_not_show_their_streams() -> None:
    assert "s3cret" not in repr(Result(0, "s3cret", "s3cret"))


def test_a_stop_in_the_middle_ends_the_child(program: Program) -> None:
    program.answers({"apply-config": {"stderr": "line\n", "hang": 600}})

    def stop(_line: str | None) -> None:
        raise KeyboardInterrupt

    listener: Callable[[str | None], None] = stop
    with pytest.raises(KeyboardInterrupt):
        talosctl(CALL, 60, listener)
    with pytest.raises(ProcessLookupError):
        os.kill(program.calls[0]["pid"], 0)
