"""What a diagnosis says: a likely cause and what to change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A likely cause.

    Attributes:
        cause: What is wrong, with the objects by name.
        advice: What to change.
    """

    cause: str
    advice: str
