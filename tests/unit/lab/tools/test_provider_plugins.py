"""Real provider plugins where they can be had, the lab's own where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.engine import environment
from lab.layout import Layout
from lab.tools import Part, Provided, cache, provider_plugins
from lab.tools.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = provider_plugins.wanted("command")
DIRECTORY = f"plugins/resource-command-v{COMMAND}"
# What the real CLI says where the download is refused.
REFUSED = (
    "[resource plugin command-1.2.1] downloading from : failed to download plugin: failed all 5 attempts"
)
REASON = "failed to download plugin: failed all 5 attempts"


class Engine:
    """A fake Pulumi CLI that records its calls."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "pulumi"
        self.calls = directory / "calls"
        self.lines: list[str] = []
        self.answer("exit 1")

    def answer(self, script: str) -> None:
        self.path.write_text(f'#!/bin/sh\necho "$*" >> {self.calls}\n{script}\n', encoding="utf-8")
        self.path.chmod(0o755)

    def find(self) -> dict[str, provider_plugins.Plugin]:
        return provider_plugins.find_real(self.path, Progress(write=self.lines.append))

    def asked(self) -> list[str]:
        return sorted(self.calls.read_text(encoding="utf-8").splitlines()) if self.calls.exists() else []


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(provider_plugins.RETRY_VARIABLE, raising=False)
    monkeypatch.setattr(provider_plugins, "SDKS", {"command": "pulumi-command"})
    return Engine(tmp_path)


def put(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_plugin_of_the_user_is_used_without_asking_anybody(engine: Engine, tmp_path: Path) -> None:
    path = put(tmp_path / "home" / DIRECTORY / "pulumi-resource-command")

    found = engine.find()["command"]

    assert (found.path, found.real, found.directory) == (path, True, f"resource-command-v{COMMAND}")
    assert found.origin == f"real, installed by the user: {path.parent}"
    assert engine.asked() == []


def test_a_plugin_of_the_user_of_another_version_is_not_used(engine: Engine, tmp_path: Path) -> None:
    put(tmp_path / "home/plugins/resource-command-v0.0.1/pulumi-resource-command")

    assert engine.find() == {}


def test_a_plugin_on_path_is_used_neither_here_nor_by_the_engine(engine: Engine, tmp_path: Path) -> None:
    """Real plugins do not tell their version, so the table of parts could not name it."""
    put(tmp_path / "bin/pulumi-resource-command", f"echo v{COMMAND}")

    assert engine.find() == {}
    assert environment(Layout(tmp_path))["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "true"


def test_a_plugin_that_can_be_installed_lands_in_the_cache(engine: Engine) -> None:
    engine.answer(
        f'/bin/mkdir -p "$PULUMI_HOME/{DIRECTORY}"; : > "$PULUMI_HOME/{DIRECTORY}/pulumi-resource-$4"'
    )

    found = engine.find()["command"]

    assert found.path == cache.root() / "pulumi-home" / DIRECTORY / "pulumi-resource-command"
    assert found.origin == f"real, installed by the lab: {found.path.parent}"
    assert engine.asked() == [f"plugin install resource command v{COMMAND} --non-interactive"]


def test_a_refusal_is_remembered_for_the_exact_version(engine: Engine) -> None:
    engine.answer(f"echo '{REFUSED}'; exit 1")

    assert engine.find() == {}
    assert engine.find() == {}
    assert len(engine.asked()) == 1
    assert engine.lines[-1].endswith(f"stand-in of the lab ({REASON}; LAB_RETRY_PLUGINS=1 tries again)")


def test_a_refused_plugin_is_tried_again_on_request(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.find()
    monkeypatch.setenv(provider_plugins.RETRY_VARIABLE, "1")
    engine.find()

    assert len(engine.asked()) == 2


def test_a_download_that_hangs_is_ended(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_plugins, "INSTALL_SECONDS", 0.0)
    engine.answer("exec /bin/sleep 600")

    assert engine.find() == {}
    assert "(download did not finish in 0 s; LAB_RETRY_PLUGINS=1 tries again)" in engine.lines[-1]


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (REFUSED, REASON),
        ("error: could not load plugin", "could not load plugin"),
        ("warning: old\n\nerror: 403 HTTP error\n", "403 HTTP error"),
        ("", "no answer"),
    ],
)
def test_the_reason_is_the_last_line_without_its_prefix(output: str, reason: str) -> None:
    assert provider_plugins.refusal_reason(output, timed_out=False) == reason


def test_the_labs_own_plugin_stands_in_and_says_so(engine: Engine, tmp_path: Path) -> None:
    real = engine.find()
    own = tmp_path / "own"

    chosen = provider_plugins.complete(real, {"pulumi-resource-command": own})

    assert provider_plugins.own_binaries(real) == ["pulumi-resource-command"]
    assert (chosen["command"].path, chosen["command"].real) == (own, False)
    assert chosen["command"].origin.startswith("stand-in of the lab (")


def test_the_table_of_parts_tells_real_from_stand_in(engine: Engine, tmp_path: Path) -> None:
    chosen = provider_plugins.complete(engine.find(), {"pulumi-resource-command": tmp_path / "own"})
    provided = Provided({"pulumi": tmp_path / "pulumi", "talos-sim": tmp_path / "sim"}, chosen)

    assert provided.parts()[:2] == [
        Part("pulumi", real=True, origin=str(tmp_path / "pulumi")),
        Part("talos-sim", real=False, origin=str(tmp_path / "sim")),
    ]
    assert str(provided.parts()[2]).startswith(f"{'plugin command':<26} stand-in  stand-in of the lab (")
