"""Stack files checked without Pulumi: what is printed, and the exit status."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import config
from ops.dispatch import main
from tests.cases.stack_cases import KEY, Case

ROOT = Path(__file__).resolve().parents[3]
ENCRYPTED = f"is encrypted: {config.NO_SECRETS}"


def written(directory: Path, case: Case, name: str = "Pulumi.home.yaml") -> Path:
    """Write the stack file of a case."""
    file = directory / name
    file.write_text(yaml.safe_dump(case.stack()), encoding="utf-8")
    return file


def test_a_sound_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, Case())
    assert main(["config", str(file)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{file}: warning: ") or printed == f"{file}: no fault, no warning\n"


def test_the_committed_example_has_nothing_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    file = ROOT / "Pulumi.homelab.yaml"
    assert main(["config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no fault, no warning\n"


def test_every_fault_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, Case(changes={"lan.tagged": "yes", "network.gateway": "fe80::1"}))
    assert main(["config", str(file)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: fault: network.gateway: must be an IPv4 address: this program builds IPv4 clusters",
        f"{file}: fault: lan.tagged: must be true or false, without quotes",
    ]


def test_a_warning_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, Case(changes={"talos.resetOnDestroy": True}))
    assert main(["config", str(file)]) == 0
    line = "talos.resetOnDestroy: `pulumi destroy` will wipe every node of this stack"
    assert f"{file}: warning: {line}" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "{file} cannot be read: no such file or directory"),
        ("a: [", "{file} is no YAML"),
        ("[" * 5000, "{file} is no YAML"),
        ("config: {}", "{file} has no config for homelab:cluster"),
    ],
)
def test_what_cannot_be_checked_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    """The other files are checked all the same."""
    file = tmp_path / "Pulumi.broken.yaml"
    if text is not None:
        file.write_text(text)
    faulty = written(tmp_path, Case(changes={"lan.tagged": "yes"}))
    assert main(["config", str(file), str(faulty)]) == 2
    printed = capsys.readouterr()
    assert printed.err == f"cannot check: {message.format(file=file)}\n"
    assert printed.out == f"{faulty}: fault: lan.tagged: must be true or false, without quotes\n"


def test_json_holds_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty = written(tmp_path, Case(changes={"lan.tagged": "yes"}))
    missing = tmp_path / "none.yaml"
    assert main(["config", "--json", str(faulty), str(missing)]) == 2
    assert json.loads(capsys.readouterr().out) == {
        "files": [
            {
                "file": str(faulty),
                "faults": ["lan.tagged: must be true or false, without quotes"],
                "warnings": [],
                "unreadable": "",
            },
            {
                "file": str(missing),
                "faults": [],
                "warnings": [],
                "unreadable": f"{missing} cannot be read: no such file or directory",
            },
        ],
        "passed": False,
    }


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"nodes.0.patches": [{"machine": {"env": {"TOKEN": {"secure": "v1:abc"}}}}]}, "env.TOKEN"),
        ({"nodes.0.patches": {"secure": "v1:abc"}}, "nodes.cp1.patches"),
        ({"cilium.values": {"clustermesh": {"key": {"secure": "v1:abc"}}}}, "cilium.values.clustermesh.key"),
    ],
)
def test_an_encrypted_value_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], path: str
) -> None:
    file = written(tmp_path, Case(changes=changes))
    assert main(["config", str(file)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(f"{path}: {ENCRYPTED}")


def test_an_encrypted_cluster_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Pulumi.home.yaml"
    file.write_text(yaml.safe_dump({"config": {KEY: {"secure": "v1:abc"}}}))
    assert main(["config", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}: fault: {KEY}: {ENCRYPTED}\n"


def test_a_date_is_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML makes a date of unquoted 2026-01-01, which JSON does not know."""
    file = tmp_path / "Pulumi.home.yaml"
    file.write_text(written(tmp_path, Case()).read_text().replace("name: homelab", "name: 2026-01-01"))
    assert main(["config", str(file)]) == 0
    assert "fault: " not in capsys.readouterr().out


def test_it_needs_neither_pulumi_nor_much_time() -> None:
    """A commit hook runs it; half a second a file, beside the start of Python."""
    program = (
        "import sys; from ops.dispatch import main; status = main(['config', 'Pulumi.homelab.yaml']); "
        "assert 'pulumi' not in sys.modules; sys.exit(status)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
    began = time.process_time()
    assert main(["config", str(ROOT / "Pulumi.homelab.yaml")]) == 0
    assert time.process_time() - began < 0.5


def test_the_help_of_all_commands_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "check stack files, offline" in capsys.readouterr().out
