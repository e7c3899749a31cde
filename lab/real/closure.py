"""Programs of the distribution with their shared libraries, copied to where they will be looked for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lab.real import packages

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIBRARY = re.compile(r"(/\S+) \(0x[0-9a-f]+\)")


def libraries(program: Path) -> list[Path]:
    """Return the shared libraries of a program as its loader names them; none for a static one."""
    # In the C locale, because the text is parsed.
    done = subprocess.run(
        [packages.find("ldd"), program], capture_output=True, text=True, check=False, env={"LC_ALL": "C"}
    )
    # A loader that was told `$ORIGIN/../lib` prints the path with the dots.
    return [Path(os.path.normpath(found)) for found in _LIBRARY.findall(done.stdout)]


def install(program: Path, root: Path, target: str) -> None:
    """Copy a program to `target` below `root`, and its libraries to their own places."""
    copy(program.resolve(), root / target)
    bring_libraries([program], root)


def bring_libraries(programs: Iterable[Path], root: Path) -> None:
    """Copy the libraries of programs to their own places below `root`."""
    for program in programs:
        for library in libraries(program):
            place = inside(root, library)
            if not place.exists():
                # The loader looks for the short name, which in the distribution is often a link.
                copy(library.resolve(), place)


def inside(root: Path, path: Path) -> Path:
    """Return the place of an absolute path below `root`; `/lib*` is `/usr/lib*`, as in the distributions."""
    first, *rest = path.parts[1:]
    parts = ("usr", first, *rest) if first.startswith("lib") else (first, *rest)
    return root.joinpath(*parts)


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode, making directories; a file that is there is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Through a link, or into a file with several names, the copy would change another program.
    target.unlink(missing_ok=True)
    shutil.copy2(source, target)
