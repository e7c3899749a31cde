"""Waiting: what is said when, how long the pauses are, how a limit ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clients.errors import OperationError
from steps.waiting import Done, Goal, Pending, SystemClock, wait
from tests.unit.steps.steps_job import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable


def answers(*texts: str) -> Callable[[], Done[int] | Pending]:
    queue = list(texts)
    return lambda: Pending(queue.pop(0)) if queue else Done(7)


def test_returns_the_value_without_a_word_when_it_is_there_at_once() -> None:
    clock, said = FakeClock(), list[str]()
    assert wait(Goal("the node", 60, ""), answers(), clock, said.append) == 7
    assert (said, clock.pauses) == ([], [])


def test_says_a_changed_answer_at_once_and_an_equal_one_every_ten_seconds() -> None:
    clock, said = FakeClock(), list[str]()
    probe = answers("silent", "silent", *["booting"] * 13)
    wait(Goal("the node", 60, ""), probe, clock, said.append)
    assert said == [
        "waiting for the node (0 of 60 s): silent",
        "waiting for the node (1 of 60 s): booting",
        "waiting for the node (10 of 60 s): booting",
        "waiting for the node (18 of 60 s): booting",
    ]


def test_pauses_grow_from_half_a_second_to_two() -> None:
    clock = FakeClock()
    wait(Goal("the node", 600, ""), answers(*["silent"] * 12), clock, lambda _: None)
    assert clock.pauses[0] == 0.5
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[-1] == 2.0


def test_a_cheap_look_may_be_taken_more_often() -> None:
    clock = FakeClock()
    wait(Goal("the CRDs", 600, "", longest=0.5), answers(*["silent"] * 12), clock, lambda _: None)
    assert set(clock.pauses) == {0.5}


def test_ends_with_the_last_answer_and_the_advice() -> None:
    clock = FakeClock()
    with pytest.raises(OperationError) as caught:
        wait(Goal("the node", 5, "its power"), answers(*["silent"] * 100), clock, lambda _: None)
    assert (
        str(caught.value) == "gave up waiting for the node after 5 s; last answer: silent\ncheck: its power"
    )
    assert clock.now() == 1005.0


def test_asks_once_even_without_any_time_left() -> None:
    with pytest.raises(OperationError, match="gave up waiting for the node after 0 s; last answer: silent"):
        wait(Goal("the node", 0, ""), answers("silent", "silent"), FakeClock(), lambda _: None)


def test_the_machine_s_clock_moves() -> None:
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.001)
    assert clock.now() > before
