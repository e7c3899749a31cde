"""Versions as tools print them, and what fits on PATH."""

from __future__ import annotations

import re

import pytest

from lab.tools import golang
from lab.tools.pins import BY_NAME, GO_MINIMUM, LAB, SPECS, Spec, select
from lab.tools.version_ranges import VersionRange, minor, parse

ROOT = LAB.parent

PRINTED = {
    "pulumi": ("v3.272.0\n", (3, 272, 0)),
    "talosctl": ("Client:\nTalos v1.13.2\n", (1, 13, 2)),
    "kubectl": ("Client Version: v1.36.3\nKustomize Version: v5.8.0\n", (1, 36, 3)),
    "kube-apiserver": ("Kubernetes v1.36.3\n", (1, 36, 3)),
    "etcd": ("etcd Version: 3.6.9\nGit SHA: Not provided\nGo Version: go1.26.8\n", (3, 6, 9)),
    "kwok": ("kwok version v0.8.0 go1.26.8 (linux/amd64)\n", (0, 8, 0)),
    "helm": ("v3.22.0+g1234567\n", (3, 22, 0)),
    "cilium-operator-generic": ("cilium-operator-generic 1.20.2 go version go1.26.8 linux/amd64", (1, 20, 2)),
}


@pytest.mark.parametrize("name", PRINTED)
def test_the_version_is_read_from_what_the_tool_prints_and_fits(name: str) -> None:
    printed, expected = PRINTED[name]
    accepts = BY_NAME[name].accepts

    assert parse(printed) == expected
    assert accepts is not None
    assert accepts.holds(expected)


def test_text_without_a_version_has_none() -> None:
    assert parse("command not found") is None


def test_a_missing_patch_number_is_zero() -> None:
    assert parse("v3.22") == (3, 22, 0)


@pytest.mark.parametrize(
    ("name", "version", "fits"),
    [
        ("pulumi", (3, 258, 9), False),
        ("pulumi", (3, 259, 0), True),
        ("pulumi", (4, 0, 0), False),
        ("talosctl", (1, 12, 9), False),
        ("talosctl", (1, 14, 0), False),
        ("kubectl", (1, 32, 4), False),
        ("kubectl", (1, 35, 0), True),
        ("kubectl", (1, 37, 8), True),
        ("kubectl", (1, 38, 0), False),
        ("kube-apiserver", (1, 35, 9), False),
        ("helm", (4, 0, 0), False),
    ],
)
def test_which_versions_on_path_fit(name: str, version: tuple[int, int, int], *, fits: bool) -> None:
    accepts = BY_NAME[name].accepts

    assert accepts is not None
    assert accepts.holds(version) is fits


def test_ranges_read_well_in_messages() -> None:
    assert str(minor(1, 13)) == "1.13.x"
    assert str(VersionRange((3, 259, 0), (4, 0, 0))) == ">= 3.259.0, < 4.0.0"
    assert BY_NAME["talosctl"].by_hand == "install talosctl 1.13.x on PATH"


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_oldest_accepted_go_can_build_every_module(spec: Spec) -> None:
    text = (LAB / spec.module_dir / "go.mod").read_text(encoding="utf-8")
    asked = re.search(r"^go (\S+)$", text, flags=re.MULTILINE)

    assert asked is not None
    assert (parse(asked[1]) or GO_MINIMUM) <= GO_MINIMUM


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^unknown tool terraform; known: pulumi, talosctl, "):
        select(["pulumi", "terraform"])


def test_what_is_named_is_built_in_the_order_of_need() -> None:
    assert [spec.name for spec in select(["etcd", "pulumi"])] == ["pulumi", "etcd"]


def test_plugins_of_the_lab_are_not_built_unasked() -> None:
    assert not [spec.name for spec in select(None) if spec.name.startswith("pulumi-resource-")]


def test_builds_ignore_the_users_flags_but_not_where_modules_come_from() -> None:
    inherited = {
        "PATH": "/bin",
        "GOFLAGS": "-mod=mod",
        "GOARCH": "wasm",
        "CGO_ENABLED": "1",
        "GOPROXY": "https://proxy.example.org",
        "GOCACHE": "/cache",
    }

    assert golang.environment(inherited) == {
        "PATH": "/bin",
        "GOPROXY": "https://proxy.example.org",
        "GOCACHE": "/cache",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-trimpath -buildvcs=false -mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def test_after_a_refusal_no_module_is_asked_for() -> None:
    assert golang.environment({"GOPROXY": "https://proxy.example.org"}, offline=True)["GOPROXY"] == "off"
