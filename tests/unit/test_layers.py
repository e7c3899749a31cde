"""The house keeps its order: which layer may import which, and names that occur once.

docs/architecture.md describes the layers; this file enforces them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDARD_LIBRARY_ONLY = ("clients", "steps")
MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"components", "config"},
    "config": {"model"},
    "model": set(),
    "clients": set(),
    "steps": {"clients"},
    "components": {"model", "clients", "steps"},
    "ops": {"model", "components", "clients", "config"},
    "lab": {"model", "components", "clients", "ops", "config"},
}
"""Layer → the other layers that it may import."""
USES_CLIENTS = {"components/cilium/repair.py"}
"""Files of `components` that ask a cluster: only what the engine calls while it runs."""
TYPED_INPUTS = {"steps.inputs", "steps.environment"}
"""All that `components` know of `steps`: what each step gets."""


def sources() -> list[Path]:
    """Return every Python file of the repository, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]


def layer_of(file: Path) -> str:
    """Return the layer of a file: its top folder, or the module itself."""
    return file.parts[0].removesuffix(".py")


def imported(file: Path, text: str) -> set[str]:
    """Return every module that a file imports, by its whole name; imports for types included."""
    found = set()
    for node in ast.walk(ast.parse(text, str(file))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = "." not in node.module
            found |= {f"{node.module}.{alias.name}" if whole else node.module for alias in node.names}
    return found


def trespasses(file: Path, text: str) -> list[str]:
    """Return what a file imports and may not."""
    layer = layer_of(file)
    if layer not in MAY_IMPORT:
        return []
    modules = imported(file, text)
    packages = {module.partition(".")[0] for module in modules}
    allowed = MAY_IMPORT[layer] | {layer}
    wrong = (packages & (MAY_IMPORT.keys() | {"tests"})) - allowed
    if layer == "components" and "clients" in packages and str(file) not in USES_CLIENTS:
        wrong |= {"clients"}
    if layer == "components":
        wrong |= {module for module in modules if module.startswith("steps.")} - TYPED_INPUTS
    if layer in STANDARD_LIBRARY_ONLY:
        wrong |= packages - sys.stdlib_module_names - allowed
    return sorted(wrong)


@pytest.mark.parametrize("file", [pytest.param(file, id=str(file)) for file in sources()])
def test_a_file_imports_only_layers_below_it(file: Path) -> None:
    assert trespasses(file, (ROOT / file).read_text()) == []


@pytest.mark.parametrize(
    ("file", "text", "wrong"),
    [
        ("clients/talos/x.py", "from steps.job import Job", ["steps"]),
        ("steps/x.py", "import yaml", ["yaml"]),
        ("model/x.py", "def f():\n    from components import y", ["components"]),
        ("components/x.py", "from clients import errors", ["clients"]),
        ("components/x.py", "from steps.inputs import EtcdInputs\nfrom steps import job", ["steps.job"]),
        ("ops/x.py", "from lab import layout", ["lab"]),
        ("lab/x.py", "from tests import y", ["tests"]),
    ],
)
def test_a_wrong_import_is_found(file: str, text: str, wrong: list[str]) -> None:
    assert trespasses(Path(file), text) == wrong


def test_every_layer_exists() -> None:
    assert MAY_IMPORT.keys() <= {layer_of(file) for file in sources()}


def repeated(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names that stand in more than one place."""
    places = defaultdict(list)
    for name, place in pairs:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def test_module_names_occur_once() -> None:
    shared = {"__init__", "__main__", "conftest"}
    assert repeated([(file.stem, str(file)) for file in sources() if file.stem not in shared]) == {}


def test_class_names_occur_once() -> None:
    classes = [
        (node.name, str(file))
        for file in sources()
        for node in ast.parse((ROOT / file).read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert repeated(classes) == {}


def test_a_repeated_name_is_found() -> None:
    assert repeated([("reading", "a.py"), ("reading", "b.py"), ("once", "a.py")]) == {
        "reading": ["a.py", "b.py"]
    }
