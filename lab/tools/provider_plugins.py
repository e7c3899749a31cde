"""The providers: the real plugins where they are installed or can be installed, else the lab's own.

Plugins on PATH are left out, here and by the engine (`PULUMI_IGNORE_AMBIENT_PLUGINS`): they do not tell their
version, so nobody could say what a run used.
"""

from __future__ import annotations

import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.tools import cache
from lab.tools.processes import Children
from lab.tools.progress import Progress
from lab.tools.provisioning import ensure

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL_SECONDS: Final = 20.0
RETRY_VARIABLE: Final = "LAB_RETRY_PLUGINS"

# Python package of the SDK that decides which plugin version the engine asks for.
SDKS: Final = {"command": "pulumi-command", "kubernetes": "pulumi-kubernetes"}

# "[resource plugin command-1.2.1] downloading from : failed …" says after its prefix what matters.
_PREFIX: Final = re.compile(r"^(?:error: )?(?:\[[^\]]*\] )?(?:downloading from \S* ?: )?")
_REASON_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Plugin:
    """A provider plugin.

    Attributes:
        name: Name of the provider, for example `kubernetes`.
        version: Version that the SDK asks for, without `v`.
        path: The program.
        real: False for the lab's own stand-in.
        origin: Where it was found, or why it is a stand-in, for people.
    """

    name: str
    version: str
    path: Path
    real: bool
    origin: str

    @property
    def directory(self) -> str:
        """Name of its directory in a `plugins` directory of Pulumi."""
        return f"resource-{self.name}-v{self.version}"


def wanted(name: str) -> str:
    """Return the version of plugin `name` that the installed SDK asks for.

    Raises:
        importlib.metadata.PackageNotFoundError: the SDK is not installed in this Python.
    """
    return metadata.version(SDKS[name])


def find_real(pulumi: Path, told: Progress) -> dict[str, Plugin]:
    """Return the real plugins by provider; what is nowhere is installed into the cache, one try each.

    A refusal is remembered for the exact version; `LAB_RETRY_PLUGINS=1` tries again.
    """
    found = {name: plugin for name in SDKS if (plugin := _installed(name)) is not None}
    # Where downloads are refused, each run would otherwise wait for the same refusal again.
    retry = os.environ.get(RETRY_VARIABLE) == "1"
    missing = [name for name in SDKS if name not in found and (retry or not _refusal(name).exists())]
    if missing:
        _install_all(pulumi, missing, told)
    found |= {name: plugin for name in missing if (plugin := _installed(name)) is not None}
    for name in SDKS:
        origin = found[name].origin if name in found else _refusal_text(name)
        told.say(f"plugin {name} v{wanted(name)}", origin)
    return found


def own_binaries(real: Mapping[str, Plugin]) -> list[str]:
    """Return the names of the lab's own plugins that must stand in for what is not in `real`."""
    return [f"pulumi-resource-{name}" for name in SDKS if name not in real]


def complete(real: Mapping[str, Plugin], own: Mapping[str, Path]) -> dict[str, Plugin]:
    """Return a plugin for every provider: a real one, else that of `own` (paths by name of the binary)."""
    return {name: real[name] if name in real else _stand_in(name, own) for name in SDKS}


def find(pulumi: Path, progress: Progress | None = None) -> dict[str, Plugin]:
    """Return a plugin for every provider; the lab's own are built where the real ones are not available.

    Raises:
        ToolsError: a stand-in cannot be built.
        Interrupted: a signal ended the run.
    """
    told = progress or Progress()
    real = find_real(pulumi, told)
    return complete(real, ensure(own_binaries(real), told))


def _stand_in(name: str, own: Mapping[str, Path]) -> Plugin:
    path = own[f"pulumi-resource-{name}"]
    return Plugin(name, wanted(name), path, real=False, origin=_refusal_text(name))


def _install_all(pulumi: Path, names: list[str], told: Progress) -> None:
    children = Children()
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        futures = [pool.submit(_install, children, pulumi, name, told) for name in names]
        try:
            for future in futures:
                future.result()
        except BaseException:
            children.stop()
            raise


def _installed(name: str) -> Plugin | None:
    version = wanted(name)
    binary = f"pulumi-resource-{name}"
    users = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    # The user's own comes first: whoever installed one wants to see it used.
    for home, origin in ((users, "real, installed by the user"), (_home(), "real, installed by the lab")):
        path = home / "plugins" / f"resource-{name}-v{version}" / binary
        if path.is_file():
            return Plugin(name, version, path, real=True, origin=f"{origin}: {path.parent}")
    return None


def _home() -> Path:
    return cache.root() / "pulumi-home"


def _refusal(name: str) -> Path:
    return cache.root() / "refused" / f"resource-{name}-v{wanted(name)}"


def _refusal_text(name: str) -> str:
    refusal = _refusal(name)
    reason = refusal.read_text(encoding="utf-8").strip() if refusal.exists() else "not installed"
    return f"stand-in of the lab ({reason}; {RETRY_VARIABLE}=1 tries again)"


def _install(children: Children, pulumi: Path, name: str, told: Progress) -> None:
    """Try once to install the real plugin into the cache and remember a refusal for this exact version."""
    version = wanted(name)
    title = f"plugin {name} v{version}"
    told.start(title, f"installing, at most {INSTALL_SECONDS:g} s")
    refusal = _refusal(name)
    refusal.parent.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "PULUMI_HOME": str(_home()), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        argv = [str(pulumi), "plugin", "install", "resource", name, f"v{version}", "--non-interactive"]
        ended = children.run(argv, Path(scratch), env, log, limit=INSTALL_SECONDS)
        output = log.read_text(encoding="utf-8", errors="replace")
    if ended.code == 0 and _installed(name):
        # Else the reason of an earlier failure would be shown if the plugin were removed.
        refusal.unlink(missing_ok=True)
    else:
        refusal.write_text(refusal_reason(output, timed_out=ended.timed_out) + "\n", encoding="utf-8")
    told.end(title, "tried")


def refusal_reason(output: str, *, timed_out: bool) -> str:
    """Return one line that says why `pulumi plugin install` failed."""
    if timed_out:
        return f"download did not finish in {INSTALL_SECONDS:g} s"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return _PREFIX.sub("", (lines or ["no answer"])[-1])[:_REASON_LENGTH]
