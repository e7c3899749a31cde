"""Programs of the distribution: which are needed, and how they are had on Debian and Ubuntu."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from lab.real.host import Unsuitable

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "arping": "iputils-arping",
    "runc": "runc",
    "clang-19": "clang-19",
    "ipset": "ipset",
    "iptables": "iptables",
    "nft": "nftables",
    "busybox": "busybox-static",
    "bash": "bash",
    "ldd": "libc-bin",
}
"""Program and the package that has it. clang 19 is the compiler of Cilium 1.20's own image."""

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def path() -> str:
    """Return PATH with the directories of the system's own programs, which a user's PATH may lack."""
    return f"{os.environ.get('PATH', '')}{os.pathsep}{SYSTEM_PATH}"


def missing() -> list[str]:
    """Return the packages whose programs are not there."""
    absent = {package for program, package in PACKAGES.items() if shutil.which(program, path=path()) is None}
    return sorted(absent)


def ensure(say: Callable[[str], None]) -> None:
    """Install what is missing with apt-get.

    Raises:
        Unsuitable: there is no apt-get, or it failed; the text has the command for a person.
    """
    packages = missing()
    if not packages:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None:
        raise Unsuitable(f"these packages are needed (names of Debian): {' '.join(packages)}")
    say(f"== distribution packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # The lists first: a fresh container has none, and old ones name packages that are gone.
    for arguments in (["apt-get", "update", "--quiet"], command):
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    # The result is looked at and not the exit status: an unrelated source may fail to update.
    if missing():
        last = (done.stderr.strip().splitlines() or ["apt-get said nothing"])[-1]
        raise Unsuitable(f"packages are missing: {' '.join(missing())}; `{' '.join(command)}` said: {last}")


def identity() -> str:
    """Return what changes when a package is upgraded: the programs' real paths, sizes and times."""
    paths = [Path(find(program)).resolve() for program in PACKAGES]
    return " ".join(f"{path}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in paths)


def find(program: str) -> str:
    """Return the path of a distribution's program; `ensure` ran before.

    Raises:
        Unsuitable: it is not installed.
    """
    found = shutil.which(program, path=path())
    if found is None:
        raise Unsuitable(f"{program} is not installed (package {PACKAGES.get(program, program)})")
    return found
