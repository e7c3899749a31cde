"""Pinned versions have one owner: every file that repeats one is found and written."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from lab.tools import pin_files
from lab.tools.pin_files import MISE, ROOT, Mention, module_of, stale
from lab.tools.pins import GO_MINIMUM

if TYPE_CHECKING:
    from pathlib import Path


def test_every_file_repeats_the_pins(capsys: pytest.CaptureFixture[str]) -> None:
    """Fails after a pin was raised without `make pins`; the message says so."""
    assert (pin_files.main(["--check"]), capsys.readouterr().err) == (0, "")


def test_a_stale_file_is_found_and_put_right(tmp_path: Path) -> None:
    (tmp_path / "mise.toml").write_text('pulumi = "3.1.0"\nother = "3.1.0"\n')
    place = Mention("mise.toml", '^pulumi = "', "3.259.0")
    assert stale([place], tmp_path) == {"mise.toml": 'pulumi = "3.259.0"\nother = "3.1.0"\n'}


def test_a_place_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "mise.toml").write_text("")
    with pytest.raises(ValueError, match=r"mise\.toml has no version after 'pulumi = '"):
        stale([Mention("mise.toml", "pulumi = ", "3.259.0")], tmp_path)


def test_a_check_names_what_is_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pin_files, "mentions", lambda: [Mention("mise.toml", '^pulumi = "', "0.0.1")])
    assert pin_files.main(["--check"]) == 1
    assert "mise.toml repeats another version: run `make pins`" in capsys.readouterr().err


def test_a_package_belongs_to_its_longest_module() -> None:
    file = "lab/go_modules/talos/go.mod"
    assert module_of("github.com/siderolabs/talos/pkg/machinery", file).endswith("/pkg/machinery")
    assert module_of("github.com/siderolabs/talos/cmd/talosctl", file) == "github.com/siderolabs/talos"


def test_mise_has_no_pin_that_nobody_writes() -> None:
    pins = tomllib.loads((ROOT / "mise.toml").read_text(encoding="utf-8"))["tools"]
    others = {name: version for name, version in pins.items() if name not in MISE.values()}
    assert others == {"python": "3.11", "go": "{}.{}".format(*GO_MINIMUM[:2])}
