"""The support matrix, cell by cell."""

from __future__ import annotations

import pytest

from model.rules.version_matrix import RULES
from model.versions import Versions, minor, release, written

TALOS = {"v1.12.0": (30, 35), "v1.13.0": (31, 36)}
CILIUM = {"1.18.0": (30, 33), "1.19.0": (32, 35), "1.20.2": (33, 36)}


@pytest.mark.parametrize("talos", TALOS)
@pytest.mark.parametrize("cilium", CILIUM)
@pytest.mark.parametrize("kubernetes", range(29, 38))
def test_releases_go_together_where_both_projects_say_so(talos: str, cilium: str, kubernetes: int) -> None:
    versions = Versions(talos=talos, kubernetes=f"v1.{kubernetes}.7", cilium=cilium)
    faults = [fault for rule in RULES for fault in rule(versions)]
    by_talos = TALOS[talos][0] <= kubernetes <= TALOS[talos][1]
    by_cilium = CILIUM[cilium][0] <= kubernetes <= CILIUM[cilium][1]
    assert len(faults) == (not by_talos) + (not by_cilium)
    assert all(fault.path == "versions.kubernetes" for fault in faults)


def test_the_default_versions_go_together() -> None:
    assert [fault for rule in RULES for fault in rule(Versions())] == []


def test_versions_are_compared_as_numbers() -> None:
    assert release("v1.9.0") < release("v1.10.0")
    assert minor("1.20.2") == (1, 20)
    assert written((1, 20)) == "1.20"
