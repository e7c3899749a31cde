"""Pools divide the range exactly: nothing is lost, nothing is given twice."""

from __future__ import annotations

from ipaddress import IPv4Address
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from components.load_balancer.manifests import subtract

FIRST = int(IPv4Address("10.0.50.0"))


@given(st.integers(0, 60), st.integers(0, 60), st.lists(st.integers(-5, 70), max_size=20))
def test_the_rest_is_the_range_without_the_taken_addresses(start: int, size: int, taken: list[int]) -> None:
    first, last = IPv4Address(FIRST + start), IPv4Address(FIRST + start + size)
    addresses = [IPv4Address(FIRST + number) for number in taken]
    left = subtract(first, last, addresses)
    found = [number for low, high in left for number in range(int(low), int(high) + 1)]
    expected = sorted(set(range(int(first), int(last) + 1)) - {int(address) for address in addresses})
    assert found == expected


@given(st.lists(st.integers(0, 40), max_size=20))
def test_neighbouring_spans_never_touch(taken: list[int]) -> None:
    """As few blocks as possible: a person reads them."""
    first = IPv4Address(FIRST)
    left = subtract(first, first + 40, [first + number for number in taken])
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(left))
