"""No secret of the cluster is seen anywhere it should not be, on the run that `test_lifecycle` made."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lab import engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.conftest import Run

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def needles(lab: Run) -> dict[str, str]:
    """Every secret by name: keys in base64 and as a line of their PEM, tokens, admin keys, the passphrase."""
    outputs = lab.stack.outputs()
    if "kubeconfig" not in outputs:
        lab.up()
        outputs = lab.stack.outputs()
    found = dict(_leaves(_bundle(lab)))
    found["kubeconfig admin key"] = _field(outputs["kubeconfig"].value, "client-key-data")
    found["talosconfig admin key"] = _field(outputs["talosconfig"].value, "key")
    found["passphrase"] = lab.layout.passphrase.read_text()
    return found | {f"{name} (PEM)": line for name, text in found.items() if (line := _pem_line(text))}


def _bundle(lab: Run) -> Any:  # noqa: ANN401 - Talos's own document
    """Return the Talos secrets bundle out of the decrypted state."""
    command = [
        str(lab.layout.tools / "pulumi"),
        "stack",
        "export",
        "--show-secrets",
        "--stack",
        lab.stack.name,
    ]
    state = json.loads(lab.run_pulumi(*command))
    resource = next(r for r in state["deployment"]["resources"] if r["urn"].endswith("-secrets"))
    return yaml.safe_load(json.loads(resource["outputs"]["stdout"]["plaintext"]))


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - YAML
    """Yield the secret strings of the bundle; certificates and the cluster's id are public."""
    for key, value in node.items():
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            yield from _leaves(value, name)
        elif key not in {"crt", "id"}:
            yield name, str(value)


def _field(document: str, key: str) -> str:
    match = re.search(rf"^\s*{key}: (\S+)$", document, re.MULTILINE)
    assert match, f"no {key} in the document"
    return match[1]


def _pem_line(text: str) -> str:
    """Return the longest inner line of a base64-encoded PEM, empty for anything else."""
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""
    return max((line for line in decoded.splitlines() if not line.startswith("-----")), key=len, default="")


def _found(needles: dict[str, str], text: str) -> list[str]:
    return sorted(name for name, secret in needles.items() if secret in text)


def test_the_bundle_has_the_secrets_that_are_looked_for(needles: dict[str, str]) -> None:
    """Guards the other tests against looking for nothing."""
    expected = {
        "certs.os.key",
        "certs.k8s.key",
        "certs.etcd.key",
        "secrets.bootstraptoken",
        "trustdinfo.token",
    }
    assert expected <= set(needles)
    assert all(len(secret) > 15 for secret in needles.values())


def test_no_secret_in_engine_output_or_events(lab: Run, needles: dict[str, str]) -> None:
    assert len(lab.events) > 50
    assert _found(needles, "\n".join(lab.output)) == []
    assert _found(needles, json.dumps([event.__dict__ for event in lab.events], default=vars)) == []


def test_no_secret_in_a_preview(lab: Run, needles: dict[str, str]) -> None:
    said: list[str] = []
    lab.stack.preview(
        diff=True, on_output=said.append, on_event=lambda event: said.append(json.dumps(event, default=vars))
    )
    assert "Resources:" in "".join(said)
    assert _found(needles, "\n".join(said)) == []


def test_no_secret_on_a_command_line(lab: Run, needles: dict[str, str]) -> None:
    """Of any process seen while the lab ran; the watch must have seen the calls that carry secrets."""
    seen = "\n".join(lab.command_lines)
    assert "talosctl" in seen
    assert "apply-config" in seen
    assert _found(needles, seen) == []


def test_the_state_holds_secrets_only_encrypted(lab: Run, needles: dict[str, str]) -> None:
    files = [path for path in lab.layout.backend.rglob("*") if path.is_file()]
    assert any('"ciphertext"' in path.read_text() for path in files)
    assert _leaks(needles, files) == []


def test_no_secret_in_any_file_left_behind(lab: Run, needles: dict[str, str]) -> None:
    """Simulated disks hold the machine config, as real ones do; the passphrase has its own file."""
    private = (lab.layout.nodes, lab.layout.passphrase)
    files = [
        path
        for path in lab.layout.state.parent.rglob("*")
        if path.is_file() and not path.is_symlink() and not any(path.is_relative_to(p) for p in private)
    ]
    assert len(files) > 5
    assert _leaks(needles, files) == []


def test_private_files_are_readable_by_their_owner_only(lab: Run) -> None:
    assert lab.layout.state.stat().st_mode & 0o077 == 0
    assert lab.layout.passphrase.stat().st_mode & 0o777 == 0o600
    configs = [path for path in lab.layout.nodes.rglob("*.yaml") if path.is_file()]
    assert [path.name for path in configs if path.stat().st_mode & 0o077] == []


def test_nothing_is_written_to_the_home_directory(lab: Run) -> None:
    assert engine.environment(lab.layout)["PULUMI_HOME"].startswith(str(lab.layout.state))
    assert list(lab.home.rglob("*")) == []


def _leaks(needles: dict[str, str], files: list[Path]) -> list[tuple[str, list[str]]]:
    found = ((path.name, _found(needles, path.read_bytes().decode(errors="replace"))) for path in files)
    return [(name, names) for name, names in found if names]
