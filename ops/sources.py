"""Where config and credentials come from: a stack's outputs, or files that were named."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import yaml

import config
from model.faults import Faults
from ops.kubeconfig import KubeconfigFileError, current_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model import Cluster

PULUMI_PATIENCE = 120.0  # seconds; a backend in the network may be slow


class CannotCheckError(Exception):
    """There is nothing to look at: no config, no credentials, or no answer; the text says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What the command line says.

    Attributes:
        project: The Pulumi project directory.
        stack: Name of the stack, or empty.
        config: Stack file, or None for that of the stack.
        kubeconfig: File, or None for the stack's output.
        talosconfig: File, or None for the stack's output.
    """

    project: Path
    stack: str = ""
    config: Path | None = None
    kubeconfig: Path | None = None
    talosconfig: Path | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Admin access; either may be missing. Kept in memory only."""

    kubeconfig: str = field(default="", repr=False)
    talosconfig: str = field(default="", repr=False)


class PulumiRunner(Protocol):
    """Runs `pulumi` in the project directory."""

    def __call__(self, argv: Sequence[str], directory: Path, /) -> str:
        """Return stdout; raises `CannotCheckError` with the last words of stderr."""


def stack_file(place: Place) -> Path:
    """Return the stack file that was named or belongs to the stack.

    Raises:
        CannotCheckError: neither a stack nor a stack file was named.
    """
    if place.config is not None:
        return place.config
    if not place.stack:
        raise CannotCheckError("name a stack (--stack NAME) or a stack file (--config Pulumi.NAME.yaml)")
    return place.project / f"Pulumi.{place.stack}.yaml"


def cluster(place: Place) -> Cluster:
    """Return the checked config of the stack.

    Raises:
        CannotCheckError: there is no such file, or it has faults.
    """
    path = stack_file(place)
    try:
        return config.parse(as_engine_json(section(path)))
    except Faults as faults:
        raise CannotCheckError(f"{path} has {len(faults.lines)} fault(s):\n{faults}") from None


def _document(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CannotCheckError(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    # PyYAML raises ValueError for a date that no calendar has.
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise CannotCheckError(f"{path} is no YAML") from None


def section(path: Path) -> Any:  # noqa: ANN401 - any JSON, the model checks it
    """Return `homelab:cluster` of a stack file as it stands there.

    Raises:
        CannotCheckError: there is no such file, or nothing of this program in it.
    """
    document = _document(path)
    found = document.get("config") if isinstance(document, dict) else None
    if not isinstance(found, dict) or "homelab:cluster" not in found:
        raise CannotCheckError(f"{path} has no config for homelab:cluster")
    # As it stands there: the model is what judges it, so that all faults come together.
    return found["homelab:cluster"]


def as_engine_json(value: object) -> str:
    """Return the value as Pulumi hands it to the program; what JSON does not know, as text."""
    # YAML has dates, which JSON does not know; Pulumi hands them on as text.
    return json.dumps(value, default=str)


def credentials(place: Place, run: PulumiRunner) -> Credentials:
    """Return what the files hold; what no file was named for comes from the stack's outputs.

    Raises:
        CannotCheckError: a file cannot be read, or the stack has no such outputs.
    """
    kubeconfig, talosconfig = _kubeconfig(place.kubeconfig), _text(place.talosconfig)
    # A file that was named wins, so a backend that cannot be reached is no obstacle.
    if place.kubeconfig is None and place.stack:
        outputs = stack_outputs(place, run)
        kubeconfig = outputs.get("kubeconfig", "")
        talosconfig = talosconfig or outputs.get("talosconfig", "")
    return Credentials(kubeconfig, talosconfig)


def _kubeconfig(path: Path | None) -> str:
    """Return the current context of the file, as one cluster and one user."""
    if path is None:
        return ""
    try:
        return current_context(_text(path), path.parent)
    except KubeconfigFileError as error:
        raise CannotCheckError(f"{path} cannot be used: {error}") from None


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CannotCheckError(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError:
        raise CannotCheckError(f"{path} is not text in UTF-8") from None


def stack_outputs(place: Place, run: PulumiRunner) -> dict[str, str]:
    """Return the text outputs of the stack, secrets in plain: they stay in this process.

    Raises:
        CannotCheckError: pulumi fails, or what it prints is no JSON.
    """
    argv = ["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", place.stack]
    try:
        outputs = json.loads(run(argv, place.project))
    except json.JSONDecodeError:
        raise CannotCheckError(f"the outputs of stack {place.stack} are no JSON") from None
    # Other outputs are lists and maps, and none of them is a credential.
    return {name: value for name, value in outputs.items() if isinstance(value, str)}


def run_pulumi(argv: Sequence[str], directory: Path, /) -> str:
    """Run a program of Pulumi; see `Runner`.

    Raises:
        CannotCheckError: it is not on PATH, gives no answer in time, or fails; the text has its last words.
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=directory,
            # A question for the passphrase would hang where nobody sees it.
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PULUMI_PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise CannotCheckError(
            "pulumi is not on PATH; install it, or give --kubeconfig and --config"
        ) from None
    except subprocess.TimeoutExpired:
        raise CannotCheckError(f"`{argv[0]}` gave no answer in {PULUMI_PATIENCE:.0f} s") from None
    if done.returncode != 0:
        status = f"exit status {done.returncode}"
        raise CannotCheckError(f"`{' '.join(argv[:3])}`{_refusal(done.stderr, status)}")
    return done.stdout


def _refusal(stderr: str, status: str) -> str:
    """Return why Pulumi gave no answer; it cannot ask for a passphrase here, so the variables are named."""
    if "incorrect passphrase" in stderr:
        return (
            " was given an incorrect passphrase: "
            "look at PULUMI_CONFIG_PASSPHRASE and PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    if "passphrase" in stderr:
        return (
            " needs the passphrase of the stack's secrets: "
            "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
        )
    return f": {(stderr.strip().splitlines() or [status])[-1]}"
