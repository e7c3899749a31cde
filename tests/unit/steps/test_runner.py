"""The step runner as a process: results, errors, signals, secrets."""

from __future__ import annotations

import ast
import base64
import io
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError, Stopped
from steps import runner
from tests.unit.steps.steps_program import ROOT, Program, make_program

if TYPE_CHECKING:
    from pathlib import Path

    from steps.job import Job

CONFIG = {
    "CLUSTER_NAME": "lab",
    "ENDPOINT": "https://10.0.50.10:6443",
    "ROLE": "controlplane",
    "TALOS_VERSION": "v1.13.0",
    "KUBERNETES_VERSION": "v1.36.3",
    "INSTALL_IMAGE": "image",
    "NODE": "cp1",
    "PATCH": "machine: {}",
}
KEY = base64.b64encode(
    b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEILtn\n-----END EC PRIVATE KEY-----\n"
).decode()
SECRETS = {"secrets": f"certs:\n    etcd:\n        key: {KEY}\n    token: m9oy8h.y623nbcqokjh7ks2\n"}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return make_program(tmp_path)


def test_a_result_is_all_of_stdout(program: Program) -> None:
    program.answers({"gen secrets": {"stdout": "cluster:\n    id: x\n\n"}})
    assert program.run("secrets", {"TALOS_VERSION": "v1.13.0"}) == (0, "cluster:\n    id: x\n", "")


def test_steps_run_through_a_link_to_the_folder(program: Program, tmp_path: Path) -> None:
    program.answers({"gen secrets": {"stdout": "bundle"}})
    project = tmp_path / "project"
    project.mkdir()
    for package in ("clients", "steps"):
        (project / package).symlink_to(ROOT / package)
    environment = {"PATH": program.path, "STEP_TIMEOUT": "60", "TALOS_VERSION": "v1.13.0"}
    command = [sys.executable, "-IS", "steps", "secrets"]
    done = subprocess.run(
        command,
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "bundle\n", "")


def test_a_refused_config_is_told_in_talos_words_without_a_secret(program: Program) -> None:
    program.answers(
        {
            "gen config": {"stdout": "machine: {}"},
            "validate": {"status": 1, "stderr": f"1 error occurred:\n\t* key {KEY} or MHcCAQEEILtn is bad\n"},
        }
    )
    status, stdout, stderr = program.run("machine-config", CONFIG, SECRETS)
    assert (status, stdout) == (1, "")
    assert stderr == (
        "machine-config: Talos refuses the machine config of cp1: "
        "1 error occurred: * key [secret] or [secret] is bad\n"
        "check: the patches of cp1 and of its role in the stack's configuration\n"
    )


def test_no_secret_in_arguments_environment_or_files(program: Program, tmp_path: Path) -> None:
    program.answers({"gen config": {"stdout": "machine: {}"}, "validate": {}})
    status, stdout, stderr = program.run("machine-config", CONFIG, SECRETS)
    assert (status, stdout, stderr) == (0, "machine: {}\n", "")
    for call in program.calls:
        assert KEY not in json.dumps([call["argv"], call["environment"], call["cwd"]])
    assert [call["argv"][0] for call in program.calls] == ["version", "gen", "validate"]
    assert SECRETS["secrets"] in program.calls[1]["data"].values()
    assert {file.name for file in tmp_path.iterdir()} == {"talosctl", "FAKE.json", "calls.jsonl"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_child_and_the_step_with_a_line(program: Program, number: signal.Signals) -> None:
    program.answers({"gen secrets": {"hang": 60}})
    process = program.start("secrets", {"TALOS_VERSION": "v1.13.0"})
    assert process.stdin
    assert process.stderr
    process.stdin.close()
    while len(program.calls) < 2:
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait(30) == 128 + number
    assert process.stderr.read() == f"secrets: stopped by {number.name}; running it again is safe\n"
    process.stderr.close()
    assert process.stdout
    process.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(program.calls[-1]["pid"], 0)


def test_without_talosctl_the_step_says_what_to_install(program: Program, tmp_path: Path) -> None:
    (tmp_path / "talosctl").unlink()
    if shutil.which("talosctl", path=program.path):
        pytest.skip("a real talosctl is on PATH")
    status, _, stderr = program.run("secrets", {"TALOS_VERSION": "v1.13.0"})
    assert status == 1
    assert stderr.startswith("secrets: talosctl is not on PATH\ncheck: install talosctl")


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        ("{", "stdin is not JSON: Expecting property name enclosed in double quotes at character 1"),
        ("[]", "stdin must hold one JSON object whose values are strings"),
        ('{"secrets": 1}', "stdin must hold one JSON object whose values are strings"),
    ],
)
def test_bad_stdin(program: Program, stdin: str, message: str) -> None:
    assert program.run("machine-config", CONFIG, stdin) == (1, "", f"machine-config: {message}\n")


@pytest.mark.parametrize("limit", ["", "0", "-1", "1.5", "ten", "²"])
def test_bad_timeout(program: Program, limit: str) -> None:
    status, _, stderr = program.run("secrets", {"TALOS_VERSION": "v1.13.0", "STEP_TIMEOUT": limit})
    assert status == 1
    assert stderr == f"secrets: STEP_TIMEOUT must be a whole number of seconds above zero, not {limit!r}\n"


@pytest.mark.parametrize("arguments", [["steps"], ["steps", "destroy-everything"], ["steps", "etcd", "etcd"]])
def test_unknown_steps(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert runner.main(arguments) == 2
    assert (
        "where STEP is one of: network-pinned, network-kept, secrets, talosconfig" in capsys.readouterr().err
    )


@pytest.mark.parametrize("step", sorted(runner.STEPS))
def test_every_step_exists(step: str) -> None:
    assert callable(runner.find_step(step))


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("cp1 reset", (0, "cp1 reset\n", "")),
        (OperationError("no", "that"), (1, "", "etcd: no\ncheck: that\n")),
        (Stopped(15, "SIGTERM"), (143, "", "etcd: stopped by SIGTERM; running it again is safe\n")),
    ],
)
def test_outcomes(
    outcome: str | BaseException,
    expected: tuple[int, str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def step(job: Job) -> str:
        assert job.secrets == {}
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(runner, "read_secrets", dict)
    monkeypatch.setattr(runner, "find_step", lambda _name: step)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("STEP_TIMEOUT", "5")
    status = runner.main(["steps", "etcd"])
    assert (status, *capsys.readouterr()) == expected


def test_a_step_sees_what_answers_at_an_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Port 50000 of this loopback address belongs to nobody."""
    monkeypatch.setattr(runner, "read_secrets", dict)
    monkeypatch.setattr(runner, "find_step", lambda _name: lambda job: str(job.look("127.200.200.200", "")))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("STEP_TIMEOUT", "5")
    assert runner.main(["steps", "etcd"]) == 0
    assert capsys.readouterr().out == "127.200.200.200 does not answer (connection refused)\n"


def test_a_fault_of_the_step_shows_where_and_no_secret(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(_job: Job) -> str:
        raise ValueError(f"bad {KEY}")

    monkeypatch.setattr(runner, "read_secrets", lambda: SECRETS)
    monkeypatch.setattr(runner, "find_step", lambda _name: step)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("STEP_TIMEOUT", "5")
    assert runner.main(["steps", "etcd"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("etcd: this is a fault of the step itself\nTraceback")
    assert shown.endswith("ValueError: bad [secret]\n\n")
    assert program.calls == []


def test_stop_names_the_signal() -> None:
    with pytest.raises(Stopped) as caught:
        runner.stop(signal.SIGTERM, None)
    assert (caught.value.signal_number, caught.value.signal_name) == (15, "SIGTERM")


@pytest.mark.parametrize("text", ["{", '{"a": 1}'])
def test_stdin_is_read_strictly(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    with pytest.raises(OperationError, match="stdin"):
        runner.read_secrets()


def test_the_folder_runs_as_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["steps"])
    monkeypatch.setattr(sys, "path", [str(ROOT / "steps"), *sys.path])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "steps" / "__main__.py"), run_name="__main__")
    assert caught.value.code == 2
    assert sys.path[0] == str(ROOT)
    assert capsys.readouterr().err.startswith("usage: python3 -IS steps STEP")


@pytest.mark.parametrize("version", [(3, 9, 13, "final", 0), (3, 10, 0), (3, 6, 8)])
def test_an_old_python_gets_one_line(
    version: tuple[object, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "steps" / "__main__.py"), run_name="__main__")
    assert caught.value.code == 1
    number = ".".join(str(part) for part in version[:3])
    assert capsys.readouterr().err == (
        f"Python 3.11 or newer is needed, this is {number}\n"
        "check: `python3 --version` in the shell that runs pulumi; nothing was changed\n"
    )


def test_an_old_python_can_read_the_entry_point() -> None:
    source = (ROOT / "steps" / "__main__.py").read_text()
    ast.parse(source, feature_version=(3, 6))
    used = set(re.findall(r"^(?:from|import) (\S+)", source, re.MULTILINE))
    assert used == {"sys", "os.path"}, "what stands at the top must exist in Python 3.6"
    with pytest.raises(SyntaxError):
        ast.parse("match 1:\n    case 1: pass", feature_version=(3, 6))


def test_importing_the_program_runs_nothing() -> None:
    assert "main" not in runpy.run_path(str(ROOT / "steps" / "__main__.py"))


def test_nothing_on_stdin_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert runner.read_secrets() == {}
