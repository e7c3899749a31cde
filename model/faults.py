"""What is wrong with a stack config: one readable line for each fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault.

    Attributes:
        path: Where the value stands in the stack file, in its own spelling: `nodes.cp1.address`.
        message: What is wrong and how to repair it, in words of the field.
    """

    path: str
    message: str

    def __str__(self) -> str:
        """The line a person reads; what a key of the user holds cannot break it."""
        text = f"{self.path}: {self.message}"
        # A key may hold a line break, or an escape sequence of the terminal.
        return "".join(char if char.isprintable() else "?" for char in text)


class Faults(Exception):  # noqa: N818 - a collection of faults, not a single error
    """Every fault of a stack config at once.

    Attributes:
        lines: One `path: message` per fault, without repetition, in the order they were found.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        # Two rules may say the same of one value; a person repairs it once.
        self.lines = tuple(dict.fromkeys(str(fault) for fault in faults))
        super().__init__("\n".join(self.lines))
