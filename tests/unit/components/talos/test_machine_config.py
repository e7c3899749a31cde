"""The program's part of a machine config, and the golden files of whole stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.talos.machine_config import (
    VANILLA_SCHEMATIC,
    documents,
    install_image,
    program_patch,
    to_yaml,
    user_patches,
)
from model.versions import TALOS
from tests.golden.documents import GOLDEN
from tests.golden.documents import documents as golden_documents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model import Cluster, Node


def node(cluster: Cluster, name: str = "cp1") -> Node:
    return next(node for node in cluster.nodes if node.name == name)


def document(cluster: Cluster, kind: str, name: str = "cp1") -> dict[str, Any] | None:
    found = [item for item in documents(cluster, node(cluster, name)) if item.get("kind") == kind]
    assert len(found) <= 1
    return found[0] if found else None


def main_document(cluster: Cluster, name: str = "cp1") -> dict[str, Any]:
    return documents(cluster, node(cluster, name))[0]


@pytest.mark.parametrize(
    ("path", "text"),
    [pytest.param(path, text, id=f"{path.parent.name}/{path.stem}") for path, text in golden_documents()],
)
def test_golden_files_are_what_the_program_makes(path: Path, text: str) -> None:
    """If the change is meant: `python -m tests.golden`, and review the diff."""
    assert path.read_text(encoding="utf-8") == text


def test_there_is_no_golden_file_that_nothing_makes() -> None:
    assert sorted(GOLDEN.glob("*/*.yaml")) == sorted(path for path, _ in golden_documents())


def test_documents_come_in_a_fixed_order(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    """A preview shows text: another order would be a change."""
    cluster = make_cluster({})
    kinds = [item.get("kind") for item in documents(cluster, node(cluster))]
    assert kinds == [
        None,
        "HostnameConfig",
        "LinkAliasConfig",
        "LinkConfig",
        "VLANConfig",
        "Layer2VIPConfig",
        "ResolverConfig",
        "TimeSyncConfig",
    ]


def test_the_word_off_stays_text(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    """YAML 1.1 reads a bare off as false, which Talos refuses."""
    cluster = make_cluster({})
    assert "auto: 'off'\n" in program_patch(cluster, node(cluster))


@pytest.mark.parametrize(
    ("schematic", "image"),
    [
        (None, f"factory.talos.dev/metal-installer/{VANILLA_SCHEMATIC}:{TALOS}"),
        ("ab" * 32, f"factory.talos.dev/metal-installer/{'ab' * 32}:{TALOS}"),
    ],
)
def test_the_installer_comes_from_the_image_factory(
    make_cluster: Callable[[dict[str, Any]], Cluster], schematic: str | None, image: str
) -> None:
    cluster = make_cluster({"talos": {"schematic": schematic}})
    assert install_image(cluster) == image
    assert main_document(cluster)["machine"]["install"] == {"disk": "/dev/vda", "image": image, "wipe": False}


def test_a_card_by_its_name_needs_no_alias(
    make_cluster: Callable[[dict[str, Any]], Cluster], base: dict[str, Any]
) -> None:
    nodes = [{**item, "interface": {"name": "eno1"}} for item in base["nodes"]]
    cluster = make_cluster({"nodes": nodes})
    assert document(cluster, "LinkAliasConfig") is None
    link, vlan = document(cluster, "LinkConfig"), document(cluster, "VLANConfig")
    vip = document(cluster, "Layer2VIPConfig")
    assert link
    assert vlan
    assert vip
    assert (link["name"], vlan["parent"], vip["link"]) == ("eno1", "eno1", "eno1")


def test_a_card_by_its_mac_address_gets_an_alias(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    cluster = make_cluster({})
    assert document(cluster, "LinkAliasConfig") == {
        "apiVersion": "v1alpha1",
        "kind": "LinkAliasConfig",
        "name": "uplink",
        "selector": {"match": 'mac(link.permanent_addr) == "02:00:00:00:0a:0b"'},
    }


def test_a_tagged_lan_is_a_sub_interface_of_the_same_name_everywhere(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    """Cilium's policy matches kernel names, and a VLANConfig makes one."""
    cluster = make_cluster({})
    for name, number in (("cp1", 11), ("w2", 22)):
        assert document(cluster, "VLANConfig", name) == {
            "apiVersion": "v1alpha1",
            "kind": "VLANConfig",
            "name": "vlan50",
            "vlanID": 50,
            "parent": "uplink",
            "addresses": [{"address": f"10.0.50.{number}/24"}],
        }


def test_a_node_that_announces_nothing_needs_no_address_in_the_lan(
    make_cluster: Callable[[dict[str, Any]], Cluster], base: dict[str, Any]
) -> None:
    nodes = [
        {key: value for key, value in item.items() if key != "lanAddress" or item["name"] != "cp2"}
        for item in base["nodes"]
    ]
    assert document(make_cluster({"nodes": nodes}), "VLANConfig", "cp2") is None


def test_only_control_planes_share_the_vip(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    """It is elected through etcd, which workers do not run."""
    cluster = make_cluster({})
    vip = document(cluster, "Layer2VIPConfig")
    assert vip is not None
    assert vip["name"] == "127.0.10.10"
    assert document(cluster, "Layer2VIPConfig", "w1") is None
    host = make_cluster({"endpoint": {"vip": None, "host": "api.example.org"}})
    assert document(host, "Layer2VIPConfig") is None


def test_services_of_the_network_are_those_of_the_config(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    network = {"nameservers": ["9.9.9.9", "127.0.10.1"], "ntpServers": ["ntp.example.org", "10.0.0.1"]}
    cluster = make_cluster({"network": network})
    resolver, time = document(cluster, "ResolverConfig"), document(cluster, "TimeSyncConfig")
    assert resolver
    assert time
    assert resolver["nameservers"] == [{"address": "9.9.9.9"}, {"address": "127.0.10.1"}]
    assert time["ntp"] == {"servers": ["ntp.example.org", "10.0.0.1"]}


@pytest.mark.parametrize(
    ("mask", "section"),
    [
        (24, None),
        (25, {"extraArgs": {"node-cidr-mask-size": "25"}}),
        (22, {"extraArgs": {"node-cidr-mask-size": "22"}}),
    ],
)
def test_another_node_mask_is_told_to_the_controller_manager(
    make_cluster: Callable[[dict[str, Any]], Cluster], mask: int, section: dict[str, Any] | None
) -> None:
    cluster = make_cluster({"network": {"nodeMask": mask}})
    assert main_document(cluster)["cluster"].get("controllerManager") == section
    assert "controllerManager" not in main_document(cluster, "w1")["cluster"]


def test_pods_run_on_control_planes_only_where_there_is_no_worker(
    make_cluster: Callable[[dict[str, Any]], Cluster], base: dict[str, Any]
) -> None:
    def allowed(over: dict[str, Any]) -> bool:
        found = main_document(make_cluster(over))["cluster"]["allowSchedulingOnControlPlanes"]
        assert isinstance(found, bool)
        return found

    alone = {"nodes": base["nodes"][:1]}
    assert allowed({}) is False
    assert allowed(alone) is True
    assert allowed({"talos": {"scheduleOnControlPlanes": True}}) is True
    assert allowed({**alone, "talos": {"scheduleOnControlPlanes": False}}) is False


def test_workers_get_no_part_of_the_control_plane(
    make_cluster: Callable[[dict[str, Any]], Cluster],
) -> None:
    assert set(main_document(make_cluster({}), "w1")["cluster"]) == {"network", "proxy"}
    assert set(main_document(make_cluster({}), "cp1")["cluster"]) == {
        *("network", "proxy"),
        *("allowSchedulingOnControlPlanes", "etcd"),
    }


def test_labels_do_not_depend_on_their_order(
    make_cluster: Callable[[dict[str, Any]], Cluster], base: dict[str, Any]
) -> None:
    def patch(labels: dict[str, str]) -> str:
        cluster = make_cluster({"nodes": [{**base["nodes"][0], "labels": labels}, *base["nodes"][1:]]})
        return program_patch(cluster, node(cluster))

    text = patch({"rack": "b", "disk": "fast"})
    assert text == patch({"disk": "fast", "rack": "b"})
    assert "  nodeLabels:\n    disk: fast\n    rack: b\n" in text
    assert "nodeLabels" not in patch({})


def test_user_patches_come_in_the_order_all_role_node(
    make_cluster: Callable[[dict[str, Any]], Cluster], base: dict[str, Any]
) -> None:
    """The more special one comes later, so it wins."""

    def sysctl(value: str) -> dict[str, Any]:
        return {"machine": {"sysctls": {"vm.swappiness": value}}}

    patches = {"all": [sysctl("1")], "controlPlane": [sysctl("2")], "worker": [sysctl("3")]}
    nodes = [{**item, "patches": [sysctl("4"), sysctl("5")]} for item in base["nodes"]]
    cluster = make_cluster({"talos": {"patches": patches}, "nodes": nodes})

    def values(name: str) -> list[str]:
        loaded = [yaml.safe_load(text) for text in user_patches(cluster, node(cluster, name))]
        return [patch["machine"]["sysctls"]["vm.swappiness"] for patch in loaded]

    assert values("cp1") == ["1", "2", "4", "5"]
    assert values("w1") == ["1", "3", "4", "5"]


def test_patches_hold_no_secret(make_cluster: Callable[[dict[str, Any]], Cluster]) -> None:
    """They are readable in every preview."""
    cluster = make_cluster({})
    for item in cluster.nodes:
        keys = set(_keys(documents(cluster, item)))
        assert not keys & {"key", "token", "secret", "ca", "crt", "secretboxEncryptionSecret"}


def _keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in _keys(item))]
    return [key for item in value for key in _keys(item)] if isinstance(value, list) else []


def test_patches_of_several_documents_are_separated() -> None:
    assert to_yaml([{"a": 1}, {"b": "off"}]) == "a: 1\n---\nb: 'off'\n"
