"""Documents point at what exists: links, paths and tasks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("model", "components", "clients", "steps", "ops", "lab", "tests", "docs", "schemas")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`")
_TASK = re.compile(r"\bmake (?:-s )?([a-z][a-z-]+)")
_NO_TASK = {"sure", "it"}
"""Words after "make" in prose."""


def documents() -> list[Path]:
    """Return every Markdown file of the repository."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def tasks() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def missing(document: Path, text: str, targets: set[str]) -> list[str]:
    """Return what a document names that does not exist."""
    found = [
        link
        for link in _LINK.findall(text)
        if "://" not in link and not link.startswith("mailto:") and not (document.parent / link).exists()
    ]
    found += [
        path for path in _PATH.findall(text) if not any((base / path).exists() for base in bases(document))
    ]
    code = " ".join(re.findall(r"`[^`]+`|^```.*?^```", text, re.MULTILINE | re.DOTALL))
    found += [f"make {task}" for task in _TASK.findall(code) if task not in targets | _NO_TASK]
    return found


def bases(document: Path) -> tuple[Path, ...]:
    """Return the folders that a path in a document may be relative to."""
    return (ROOT, document.parent, ROOT / "lab")


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(document: Path) -> None:
    assert missing(document, document.read_text(encoding="utf-8"), tasks()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see [x](gone.md#part)", ["gone.md"]),
        ("in `steps/gone.py`", ["steps/gone.py"]),
        ("run `make gone`", ["make gone"]),
        ("[a](README.md) `steps/etcd.py` `make lab` [b](https://x.example/y) make nothing up", []),
    ],
)
def test_what_does_not_exist_is_found(text: str, found: list[str]) -> None:
    assert missing(ROOT / "x.md", text, tasks()) == found
