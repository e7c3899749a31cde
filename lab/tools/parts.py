"""All that a lab run needs, and which parts of it are the real thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.tools import provider_plugins
from lab.tools.pins import BY_NAME, select
from lab.tools.progress import Progress
from lab.tools.provisioning import ensure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lab.tools.provider_plugins import Plugin


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the table of parts: `origin` is the path, or why a stand-in is used."""

    name: str
    real: bool
    origin: str

    def __str__(self) -> str:
        return f"{self.name:<26} {'real' if self.real else 'stand-in':<9} {self.origin}"


@dataclass(frozen=True, slots=True)
class Provided:
    """Paths of the tools by name, and the provider plugins by provider name."""

    tools: Mapping[str, Path]
    plugins: Mapping[str, Plugin]

    def parts(self) -> list[Part]:
        """Return the parts in a fixed order; the lab's own programs are stand-ins."""
        tools = [Part(name, bool(BY_NAME[name].version), str(path)) for name, path in self.tools.items()]
        return tools + [Part(f"plugin {p.name}", p.real, p.origin) for p in self.plugins.values()]


def provide(progress: Progress | None = None) -> Provided:
    """Get every tool that is not optional and both provider plugins.

    The Pulumi CLI comes first because it decides whether real plugins can be installed; the lab's own ones
    are then built beside the other tools, and only where needed.

    Raises:
        ToolsError: something is not available.
        Interrupted: a signal ended the run; the next one resumes.
    """
    told = progress or Progress()
    pulumi = ensure(["pulumi"], told)["pulumi"]
    real = provider_plugins.find_real(pulumi, told)
    others = [spec.name for spec in select(None) if spec.name != "pulumi"]
    paths = ensure([*others, *provider_plugins.own_binaries(real)], told)
    tools = {"pulumi": pulumi, **{name: paths[name] for name in others}}
    return Provided(tools, provider_plugins.complete(real, paths))
