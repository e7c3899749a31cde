"""When each resource of a run began and ended, as the engine's events arrived."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent


@dataclass
class Timeline:
    """Seconds since the timeline was made, by the last part of the resource's URN."""

    summary: float = 0.0  # when the engine said that it was done
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    _start: float = field(default_factory=time.monotonic)

    def note(self, event: EngineEvent) -> None:
        """Record an event; give it to `on_event`."""
        now = time.monotonic() - self._start
        if event.resource_pre_event:
            # The first event counts: a replacement sends several for one resource.
            self.began.setdefault(_name(event.resource_pre_event.metadata.urn), now)
        if event.res_outputs_event:
            self.ended[_name(event.res_outputs_event.metadata.urn)] = now
        if event.summary_event:
            self.summary = now

    def phase(self, *texts: str) -> float:
        """Return seconds from first start to last end of the resources whose name has one of the texts.

        Raises:
            KeyError: no resource that ended has such a name.
        """
        names = [name for name in self.ended if any(text in name for text in texts)]
        if not names:
            raise KeyError(f"no resource with {texts} in its name among {sorted(self.ended)}")
        return max(self.ended[name] for name in names) - min(self.began[name] for name in names)


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
