"""The end of the set: a destroy wipes if and only if the last configuration says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clients.talos.handshake import State
from steps.nodes.end import KEPT, end
from tests.unit.steps.nodes.nodes_bench import nodes_bench
from tests.unit.steps.nodes.nodes_cases import ADDRESSES

if TYPE_CHECKING:
    import pytest


def test_nothing_is_even_looked_at_unless_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = nodes_bench(monkeypatch, *ADDRESSES)
    assert end(made.job) == KEPT
    assert made.talos.calls == []
    assert made.looks.looked == []


def test_workers_are_wiped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = nodes_bench(monkeypatch, *ADDRESSES, RESET_ON_DESTROY="yes")
    for address in ADDRESSES.values():
        made.looks.at(address, State.OURS, State.OURS, State.SILENT)
    assert end(made.job) == "the nodes are reset"
    said = [line for line in made.said if not line.startswith("waiting")]
    assert said == ["w1 reset", "cp1 reset", "cp2 reset", "cp3 reset"]
    resets = [call.node for call in made.talos.calls if call.verb == "reset"]
    assert resets == [ADDRESSES[name] for name in ("w1", "cp1", "cp2", "cp3")]
