"""Ranges as plain integers: an oracle for the rules that knows no ipaddress module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

SPECIAL = ((0, 2**24), (169 << 24 | 254 << 16, 2**16), (224 << 24, 2**29))
"""First address and size of what is not for hosts: 0.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3."""


@dataclass(frozen=True)
class AddressSpan:
    """Addresses `first` to `first + size - 1` as integers."""

    first: int
    prefix: int

    @property
    def size(self) -> int:
        return int(2 ** (32 - self.prefix))

    @property
    def end(self) -> int:
        """The integer after the last address."""
        return self.first + self.size

    def meets(self, other: AddressSpan) -> bool:
        return self.first < other.end and other.first < self.end

    def inside(self, other: AddressSpan) -> bool:
        return other.first <= self.first and self.end <= other.end

    def holds_host(self, address: int) -> bool:
        return self.first < address < self.end - 1

    def is_special(self) -> bool:
        return any(self.first < first + size and first < self.end for first, size in SPECIAL)

    def __str__(self) -> str:
        return f"{dotted(self.first)}/{self.prefix}"


def dotted(address: int) -> str:
    """Return the integer as an IPv4 address."""
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


NEIGHBOURHOODS = (
    10 << 24,
    10 << 24 | 50 << 8,
    10 << 24 | 96 << 16,
    192 << 24 | 168 << 16,
    169 << 24 | 254 << 16,
    224 << 24,
)


@st.composite
def ranges(
    draw: st.DrawFn,
    smallest: int,
    largest: int,
    bases: Sequence[int] = NEIGHBOURHOODS,
    spread: int = 2**18,
) -> AddressSpan:
    """Draw an aligned range in one of few neighbourhoods, so that ranges often meet."""
    prefix = draw(st.integers(largest, smallest))
    start = draw(st.sampled_from(bases)) + draw(st.integers(0, spread))
    size = 2 ** (32 - prefix)
    return AddressSpan(start // size * size, prefix)
