"""Rules of the versions: the support matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.faults import Fault
from model.versions import CILIUM_KUBERNETES, TALOS_KUBERNETES, minor, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from model.versions import Minor, Versions


def talos_runs_kubernetes(versions: Versions) -> Iterator[Fault]:
    """Talos supports six minors of Kubernetes and refuses others when it upgrades."""
    yield from _supported("Talos", "versions.talos", versions.talos, versions, TALOS_KUBERNETES)


def cilium_runs_on_kubernetes(versions: Versions) -> Iterator[Fault]:
    """Cilium is tested with four minors of Kubernetes."""
    yield from _supported("Cilium", "versions.cilium", versions.cilium, versions, CILIUM_KUBERNETES)


def _supported(
    product: str,
    path: str,
    version: str,
    versions: Versions,
    matrix: Mapping[Minor, tuple[Minor, Minor]],
) -> Iterator[Fault]:
    supported = matrix.get(minor(version))
    # A release that is not listed may work; to refuse it costs less than a cluster upgraded by half.
    if supported is None:
        known = ", ".join(written(known) for known in matrix)
        yield Fault(path, f"{version} is not in the support matrix: this program knows {product} {known}")
        return
    first, last = supported
    if not first <= minor(versions.kubernetes) <= last:
        yield Fault(
            "versions.kubernetes",
            f"{versions.kubernetes} does not go with {product} {version} ({path}), "
            f"which supports {written(first)} to {written(last)}: change one of them",
        )


RULES = (talos_runs_kubernetes, cilium_runs_on_kubernetes)
