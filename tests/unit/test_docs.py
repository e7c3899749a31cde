"""Documents point at what exists: links and their anchors, paths, tasks and modules."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("model", "components", "clients", "steps", "ops", "lab", "tests", "docs", "schemas")
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
_PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+|[\w-]+(?:\.[\w-]+)?\.(?:py|toml|md|in))`")
_PAGE = re.compile(r"(?<![\w/.-])(docs/[\w/-]+\.md)")
_MODULE = re.compile(r"python -m ([a-z_.]+)")
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
        link for link, anchor in _LINK.findall(text) if not leads_somewhere(document, text, link, anchor)
    ]
    paths = _PATH.findall(text) + _PAGE.findall(text)
    found += [path for path in paths if not any((base / path).exists() for base in bases(document))]
    code = " ".join(re.findall(r"`[^`]+`|^ *```.*?^ *```", text, re.MULTILINE | re.DOTALL))
    found += [f"make {task}" for task in _TASK.findall(code) if task not in targets | _NO_TASK]
    found += [f"python -m {module}" for module in _MODULE.findall(code) if not runs(module)]
    return found


def leads_somewhere(document: Path, text: str, link: str, anchor: str) -> bool:
    """Return whether a relative link has its file, and its anchor a heading; addresses are not opened."""
    if "://" in link or link.startswith("mailto:"):
        return True
    target = document.parent / link
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text(encoding="utf-8") if link else text)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def runs(module: str) -> bool:
    """Return whether a module of this repository can be run with `python -m`."""
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()


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
        ("see [x](docs/architecture.md#gone)", ["docs/architecture.md"]),
        ("in `steps/gone.py`", ["steps/gone.py"]),
        ("in `gone.toml`", ["gone.toml"]),
        ("a plain docs/gone.md", ["docs/gone.md"]),
        ("run `make gone`", ["make gone"]),
        ("```\nmake -s gone\n```", ["make gone"]),
        ("run `python -m ops.gone`", ["python -m ops.gone"]),
        ("[p](docs/architecture.md#secrets) `mise.toml` docs/flux.md `python -m lab.real up`", []),
        ("[a](README.md) `steps/etcd.py` `make lab` [b](https://x.example/y) make nothing up", []),
    ],
)
def test_what_does_not_exist_is_found(text: str, found: list[str]) -> None:
    assert missing(ROOT / "x.md", text, tasks()) == found
