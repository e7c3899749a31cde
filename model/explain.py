"""Turns pydantic's errors into faults in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError


def explain(error: ValidationError) -> Iterator[Fault]:
    """Yield one fault for each error of a validation."""
    for detail in error.errors(include_url=False, include_input=False):
        yield Fault(".".join(map(str, detail["loc"])), detail["msg"].removeprefix("Value error, "))
