"""Helm values with a misspelled key: the chart's own schema lets them pass, and nothing happens."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from model.charts import chart_keys
from model.faults import Fault
from model.versions import minor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.cilium import Cilium
    from model.versions import Versions


def values_are_known_to_the_chart(cilium: Cilium, versions: Versions) -> Iterator[Fault]:
    """Every top-level key is one that the chart of this minor reads."""
    known = chart_keys(minor(versions.cilium))
    if not known:
        return  # the support matrix has a fault of its own for such a release
    # Most slips are of case: `hostport` for `hostPort`.
    spelled = {key.lower(): key for key in known}
    # Only the top level: further down are maps with keys of the user's own, such as annotations.
    for key in cilium.values:
        if key not in known:
            near = get_close_matches(key.lower(), spelled, n=1)
            hint = f"; did you mean {spelled[near[0]]}?" if near else ""
            message = f"is no value of the chart of Cilium {versions.cilium}, which would ignore it{hint}"
            yield Fault(f"cilium.values.{key}", message)


RULES = (values_are_known_to_the_chart,)
