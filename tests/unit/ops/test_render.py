"""The files that Flux applies: what stands in them, and when they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.cilium.values import helm_values
from components.load_balancer.manifests import manifests
from model.versions import CILIUM
from ops import render
from ops.sources import CannotCheckError
from ops.table import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model import Cluster

REPOSITORY = {"cilium": {"chart": {"path": None, "repository": "https://helm.cilium.io/"}}}
REGISTRY = {"cilium": {"chart": {"path": None, "repository": "oci://quay.io/cilium/charts/cilium"}}}

EXPECTED = """\
# Written by `python -m ops render`; change the stack config and render again.
---
apiVersion: cilium.io/v2
kind: CiliumLoadBalancerIPPool
metadata:
  name: homelab
  annotations:
    kustomize.toolkit.fluxcd.io/prune: disabled
spec:
  blocks:
  - start: 10.0.50.201
    stop: 10.0.50.207
---
apiVersion: cilium.io/v2
kind: CiliumLoadBalancerIPPool
metadata:
  name: ingress-nginx-controller.ingress-nginx
  annotations:
    kustomize.toolkit.fluxcd.io/prune: disabled
spec:
  blocks:
  - start: 10.0.50.200
    stop: 10.0.50.200
  serviceSelector:
    matchLabels:
      io.kubernetes.service.namespace: ingress-nginx
      io.kubernetes.service.name: ingress-nginx-controller
---
apiVersion: cilium.io/v2alpha1
kind: CiliumL2AnnouncementPolicy
metadata:
  name: homelab
  annotations:
    kustomize.toolkit.fluxcd.io/prune: disabled
spec:
  loadBalancerIPs: true
  interfaces:
  - ^vlan50$
  nodeSelector:
    matchExpressions:
    - key: node-role.kubernetes.io/control-plane
      operator: DoesNotExist
"""


def test_the_file_of_the_pools(make_cluster: Callable[..., Cluster]) -> None:
    assert render.pool_file(make_cluster({})) == EXPECTED


@pytest.mark.parametrize("owner", ["pulumi", "handover", "flux"])
def test_the_file_holds_exactly_what_the_program_creates(
    make_cluster: Callable[..., Cluster], owner: str
) -> None:
    cluster = make_cluster({"loadBalancer": {"owner": owner, "allowFirstLastIPs": True}})
    text = render.pool_file(cluster)
    assert list(yaml.safe_load_all(text)) == manifests(cluster)
    assert text == EXPECTED


def release(cluster: Cluster) -> tuple[dict[str, Any], dict[str, Any]]:
    source, helm_release = yaml.safe_load_all(render.release_file(cluster))
    return source, helm_release


def test_the_release_has_the_programs_own_values(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(REPOSITORY)
    source, found = release(cluster)
    assert (source["kind"], source["spec"]["url"]) == ("HelmRepository", "https://helm.cilium.io/")
    assert found["metadata"]["namespace"] == "kube-system"
    assert found["spec"]["releaseName"] == "cilium"
    assert found["spec"]["values"] == helm_values(cluster)
    assert found["spec"]["chart"]["spec"] == {
        "chart": "cilium",
        "version": CILIUM,
        "sourceRef": {"kind": "HelmRepository", "name": "cilium"},
    }


def test_a_chart_of_a_registry(make_cluster: Callable[..., Cluster]) -> None:
    source, found = release(make_cluster(REGISTRY))
    assert source["kind"] == "OCIRepository"
    assert source["spec"]["url"] == "oci://quay.io/cilium/charts/cilium"
    assert source["spec"]["ref"] == {"tag": CILIUM}
    assert found["spec"]["chartRef"] == {"kind": "OCIRepository", "name": "cilium"}
    assert "chart" not in found["spec"]


def test_a_chart_of_this_machine_is_nothing_for_flux(make_cluster: Callable[..., Cluster]) -> None:
    with pytest.raises(CannotCheckError, match=r"cilium.chart.path is a file of this machine; Flux needs"):
        render.release_file(make_cluster({}))


def test_a_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "pool.yaml"
    assert render.write(path, "a\n") == f"{path} written"
    before = path.stat().st_mtime_ns
    assert render.write(path, "a\n") == f"{path} is up to date"
    assert path.stat().st_mtime_ns == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["pool.yaml"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CannotCheckError, match=r"pool\.yaml cannot be written: no such file or directory"):
        render.write(tmp_path / "nowhere" / "pool.yaml", "a")
    with pytest.raises(CannotCheckError, match="cannot be read"):
        render.write(tmp_path, "a")


def test_comparing(tmp_path: Path) -> None:
    path = tmp_path / "pool.yaml"
    assert render.compare(path, "a\nb\n").evidence == "does not exist"
    path.write_text("a\nc\n")
    row = render.compare(path, "a\nb\n")
    assert row.verdict is Verdict.FAIL
    assert row.evidence.splitlines() == [
        "differs:",
        "--- file",
        "+++ config",
        "@@ -1,2 +1,2 @@",
        " a",
        "-c",
        "+b",
    ]
    path.write_text("a\nb\n")
    assert render.compare(path, "a\nb\n").verdict is Verdict.PASS
