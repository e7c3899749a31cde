"""`ops render`: the files that Flux applies, from the same functions as the program's own objects.

Nothing is written unless a person asks for it, and never during a preview.
"""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING, Any

import yaml

from components.cilium.cilium_release import NAMESPACE
from components.cilium.values import helm_values
from components.load_balancer.manifests import KEPT_BY_FLUX, manifests
from ops.sources import CannotCheckError
from ops.table import Row, failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from model import Cluster
    from model.cilium import Chart

Manifest = dict[str, Any]

POOL_FILE, RELEASE_FILE = "cilium-ip-pool.yaml", "cilium-release.yaml"
HEADER = "# Written by `python -m ops render`; change the stack config and render again.\n"
INTERVAL = "1h"


def pool_file(cluster: Cluster) -> str:
    """Return `cilium-ip-pool.yaml`: pools and policy exactly as the program would create them."""
    return HEADER + documents(manifests(cluster))


def documents(manifests: Iterable[Manifest]) -> str:
    """Return manifests as one YAML stream, keys in their order, no aliases."""
    return "---\n" + yaml.dump_all(list(manifests), Dumper=_Dumper, sort_keys=False, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes every value in full: `&id001` helps no reader of a diff."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def release_file(cluster: Cluster) -> str:
    """Return the HelmRelease of Cilium with its source and the same values as the program's release.

    Raises:
        CannotCheckError: the chart is a local path, which Flux cannot read.
    """
    return HEADER + documents([chart_source(cluster), helm_release(cluster)])


def chart_source(cluster: Cluster) -> Manifest:
    """Return the OCIRepository or HelmRepository that the chart comes from.

    Raises:
        CannotCheckError: the chart is a local path, which Flux cannot fetch.
    """
    chart = cluster.cilium.chart
    # A path of this machine means nothing to Flux in the cluster.
    if chart.path is not None:
        raise CannotCheckError(
            "cilium.chart.path is a file of this machine; Flux needs cilium.chart.repository"
        )
    if is_oci(chart):
        spec: Manifest = {
            "interval": INTERVAL,
            # Flux wants the chart's name in the address; people write it with or without.
            "url": f"{chart.repository.removesuffix('/').removesuffix('/cilium')}/cilium",
            "ref": {"tag": cluster.versions.cilium},
            # Without it Flux would unpack the first layer of the artifact, which is not the chart's archive.
            "layerSelector": {
                "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "operation": "copy",
            },
        }
        return _flux("source.toolkit.fluxcd.io/v1", "OCIRepository", spec)
    spec = {"interval": INTERVAL, "url": chart.repository}
    return _flux("source.toolkit.fluxcd.io/v1", "HelmRepository", spec)


def is_oci(chart: Chart) -> bool:
    """Tell whether the chart comes from an OCI registry."""
    return chart.repository.startswith("oci://")


def helm_release(cluster: Cluster) -> Manifest:
    """Return the HelmRelease: same release name and namespace, so that helm-controller adopts the release."""
    spec: Manifest = {
        "interval": INTERVAL,
        "releaseName": "cilium",
        **_chart_of_release(cluster),
        # Cilium is the network Flux itself needs: a failed upgrade is left for a person to see.
        "install": {"remediation": {"retries": 3}},
        "upgrade": {"remediation": {"retries": 0, "remediateLastFailure": False}},
        "values": helm_values(cluster),
    }
    return _flux("helm.toolkit.fluxcd.io/v2", "HelmRelease", spec)


def _chart_of_release(cluster: Cluster) -> Manifest:
    if is_oci(cluster.cilium.chart):
        return {"chartRef": {"kind": "OCIRepository", "name": "cilium"}}
    source = {"kind": "HelmRepository", "name": "cilium"}
    return {"chart": {"spec": {"chart": "cilium", "version": cluster.versions.cilium, "sourceRef": source}}}


def _flux(api_version: str, kind: str, spec: Manifest) -> Manifest:
    metadata = {"name": "cilium", "namespace": NAMESPACE, "annotations": dict(KEPT_BY_FLUX)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def write(path: Path, text: str) -> str:
    """Write a file unless it is there already with this text; return what was done.

    Raises:
        CannotCheckError: the file cannot be written.
    """
    # A file that is written again has a new time, and some tools reload for that.
    if _read(path) == text:
        return f"{path} is up to date"
    # Flux may read the folder at any moment, also from a working copy.
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise CannotCheckError(f"{path} cannot be written: {(error.strerror or '').lower()}") from None
    return f"{path} written"


def compare(path: Path, text: str) -> Row:
    """Return whether a file is what would be written, with the difference."""
    there = _read(path)
    if there is None:
        return failed(str(path), "does not exist", "`python -m ops render` writes it")
    if there == text:
        return passed(str(path), "is what the config says")
    lines = unified_diff(there.splitlines(), text.splitlines(), "file", "config", lineterm="", n=1)
    return failed(str(path), "differs:\n" + "\n".join(lines), "`python -m ops render` writes it")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise CannotCheckError(f"{path} cannot be read") from None
