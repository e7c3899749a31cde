"""The lab's Pulumi project directory: the unchanged program beside a stack file of the lab's own.

`pulumi` writes the salt of the stack's secrets into the stack file, and LAB_NODES changes its nodes; both
belong to one lab on one machine, so the committed `Pulumi.lab.yaml` is only read.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from lab.inventory import stack_document
from lab.layout import PROGRAM, REPOSITORY, STACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.inventory import Machine
    from lab.layout import Layout


def assemble(layout: Layout, machines: tuple[Machine, ...], chart: Path) -> None:
    """Write or refresh the project directory; the salt of an existing stack file is kept."""
    layout.prepare()
    layout.project.mkdir(exist_ok=True)
    for name in PROGRAM:
        link(layout.project / name, REPOSITORY / name)
    (layout.project / "charts").mkdir(exist_ok=True)
    link(layout.project / "charts" / "cilium", chart)
    # Read at every run: a change of the committed file has to reach a lab that exists.
    base = yaml.safe_load((REPOSITORY / f"Pulumi.{STACK}.yaml").read_text())
    document = stack_document(base, machines)
    if layout.stack_file.exists():
        kept = yaml.safe_load(layout.stack_file.read_text())
        # Without its salt the passphrase no longer opens the secrets in the state.
        document |= {key: kept[key] for key in ("encryptionsalt", "secretsprovider") if key in kept}
    replace(layout.stack_file, yaml.safe_dump(document, sort_keys=False))
    # Never replaced, because the state that was encrypted with it would be lost.
    if not layout.passphrase.exists():
        write_private(layout.passphrase, secrets.token_urlsafe(32))


def link_tools(layout: Layout, tools: Mapping[str, Path]) -> None:
    """Fill the lab's directory for PATH with one link per tool, and one to this Python.

    The steps start `python3` of PATH: it is the interpreter that the lab was started with, and no version
    manager's script before it, which can take longer than the step itself.
    """
    layout.prepare()
    layout.tools.mkdir(exist_ok=True)
    for name, path in {**tools, "python3": Path(sys.executable).resolve()}.items():
        link(layout.tools / name, path)


def link(name: Path, target: Path) -> None:
    """Make `name` a symbolic link to `target`, atomically."""
    if name.is_symlink() and name.readlink() == target:
        return
    # In the same directory: a rename works only within one file system.
    temporary = name.with_name(f".{name.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(name)


def replace(path: Path, text: str) -> None:
    """Write a file so that a kill leaves the old or the new text, never half of it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (0600), atomically."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    # The mode belongs to the creation: a later chmod would leave a moment in which others can read.
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
