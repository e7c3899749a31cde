"""The parts of the real lab that need neither root nor a kernel: what is read, written and reckoned."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from lab.layout import REPOSITORY
from lab.real import closure, host, lan_watch, oci, program, registry, rootfs, stations, tools
from lab.real.__main__ import main
from lab.real.host import Host
from lab.real.lan_client import owner
from lab.real.proof import failover
from lab.tools import ToolsError
from tests.real.contract import merge, objects, shape_of, stable


@pytest.mark.parametrize("command", ["up", "prove", "destroy", "nodes", "down"])
def test_without_root_every_command_says_so_and_stops(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main([command, "--state", str(tmp_path / "state")]) == 1
    assert "lab-real cannot run on this machine:\nneeds root" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(host.Unsuitable, match="needs Linux"):
        host.inspect()


MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""


def test_mount_points_are_found_by_kind_and_option() -> None:
    assert host.mount_point(MOUNTS, "cgroup2") == Path("/sys/fs/cgroup/unified")
    assert host.mount_point(MOUNTS, "cgroup", "memory") == Path("/sys/fs/cgroup/memory")
    assert host.mount_point(MOUNTS, "cgroup", "pids") is None


@pytest.mark.parametrize(("effective", "has"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_a_capability_is_read_from_its_bit(effective: str, has: bool) -> None:  # noqa: FBT001
    status = f"Name:\tx\nCapEff:\t{effective}\n"
    assert host.has_capability(status, host.CAP_SYS_RESOURCE) is has


@pytest.mark.parametrize(
    ("sys_resource", "controllers", "words"),
    [
        (True, True, []),
        (False, True, ["OOM score", "runc", "kubelet"]),
        (True, False, ["limits of pods", "runc", "kubelet"]),
    ],
)
def test_deviations_are_named_only_where_they_are(
    sys_resource: bool,  # noqa: FBT001
    controllers: bool,  # noqa: FBT001
    words: list[str],
) -> None:
    lines = Host(Path("/c"), sys_resource, controllers).deviations()
    assert len(lines) == len(words)
    assert all(word in line for word, line in zip(words, lines, strict=True))


def test_nodes_have_fixed_addresses_and_cards() -> None:
    nodes = stations.parse_nodes("1+2")
    assert [(n.name, n.role, n.address, n.mac) for n in nodes] == [
        ("cp1", "controlplane", "10.0.50.11", "02:00:0a:00:32:0b"),
        ("w1", "worker", "10.0.50.21", "02:00:0a:00:32:15"),
        ("w2", "worker", "10.0.50.22", "02:00:0a:00:32:16"),
    ]
    assert owner("02:00:0a:00:32:16", nodes) == "w2"
    assert owner("02:00:00:00:00:01", nodes) == "02:00:00:00:00:01"


@pytest.mark.parametrize("text", ["", "0+1", "4", "1+5", "two"])
def test_other_numbers_of_nodes_are_refused(text: str) -> None:
    with pytest.raises(stations.StationError, match=r"must be CONTROL_PLANES\+WORKERS, for example 1\+2"):
        stations.parse_nodes(text)


def stack() -> dict[str, object]:
    """Return the committed stack file."""
    document: dict[str, object] = yaml.safe_load((REPOSITORY / "Pulumi.lab-real.yaml").read_text())
    return document


@pytest.mark.parametrize("deviates", [True, False])
def test_kubelet_gets_settings_only_where_the_machine_deviates(deviates: bool) -> None:  # noqa: FBT001
    document = program.stack_document(stack(), stations.parse_nodes("3+1"), deviates=deviates)
    cluster = document["config"]["homelab:cluster"]
    assert [node["name"] for node in cluster["nodes"]] == ["cp1", "cp2", "cp3", "w1"]
    assert (program.SMALL_HOST in cluster["talos"]["patches"]["all"]) is deviates
    assert program.SHARED_DISK in cluster["talos"]["patches"]["all"]


def test_a_policy_changes_nothing_but_itself() -> None:
    changed = program.with_policy(stack(), "Local")
    assert changed["config"]["homelab:cluster"]["ingress"].pop("externalTrafficPolicy") == "Local"
    assert changed == stack()


def image(root: Path, text: str) -> oci.Image:
    """Return an image of one file under two names."""
    (root / "bin").mkdir(parents=True, exist_ok=True)
    (root / "bin/program").write_text(text)
    return oci.Image(root, (("group/name", "v1"), ("group/name", "v2")), ("/bin/program",))


def test_an_image_is_found_by_tag_and_by_digest(tmp_path: Path) -> None:
    store = oci.Store(tmp_path / "store")
    store.add(image(tmp_path / "root", "one"))
    digest, kind = registry.locate(store, "/v2/group/name/manifests/v1?ns=registry.example") or ("", "")
    manifest = json.loads(store.blob(digest).read_text())
    assert kind == oci.MANIFEST
    assert registry.locate(store, f"/v2/any/repository/manifests/{digest}") == (digest, oci.MANIFEST)
    layer = manifest["layers"][0]["digest"]
    assert registry.locate(store, f"/v2/group/name/blobs/{layer}") == (layer, "application/octet-stream")
    with tarfile.open(store.blob(layer)) as archive:
        assert [(entry.name, entry.uid) for entry in archive] == [("bin", 0), ("bin/program", 0)]


@pytest.mark.parametrize(
    "path",
    [
        "/v2/group/name/manifests/v3",
        "/v2/group/other/manifests/v1",
        f"/v2/group/name/blobs/sha256:{'0' * 64}",
        "/v2/group/../../etc/manifests/passwd",
        "/v2/group/name/blobs/../../secret",
        "/v2/group/name/tags/list",
    ],
)
def test_anything_else_is_not_found(tmp_path: Path, path: str) -> None:
    store = oci.Store(tmp_path / "store")
    store.add(image(tmp_path / "root", "one"))
    assert registry.locate(store, path) is None


def test_the_same_files_make_the_same_image_and_old_blobs_go(tmp_path: Path) -> None:
    store = oci.Store(tmp_path / "store")
    store.add(image(tmp_path / "root", "one"))
    first = {path.name for path in (store.directory / "blobs").iterdir()}
    store.add(image(tmp_path / "again", "one"))
    assert {path.name for path in (store.directory / "blobs").iterdir()} == first
    store.add(image(tmp_path / "root", "two"))
    store.prune()
    second = {path.name for path in (store.directory / "blobs").iterdir()}
    assert len(second) == len(first) == 3
    assert not second & first


def test_an_arp_request_is_answered_only_by_a_reply_for_it() -> None:
    mac, wanted = bytes.fromhex("02000a003265"), socket.inet_aton("10.0.50.200")
    request = lan_watch.request_frame(mac, socket.inet_aton("10.0.50.101"), wanted)
    assert request[:6] == b"\xff" * 6
    assert lan_watch.answer_of(request, wanted) is None
    there = bytes.fromhex("02000a003215")
    body = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, lan_watch.REPLY, there, wanted, mac, bytes(4))
    reply = mac + there + struct.pack("!H", lan_watch.ETHERNET_ARP) + body
    assert lan_watch.answer_of(reply, wanted) == "02:00:0a:00:32:15"
    assert lan_watch.answer_of(reply, socket.inet_aton("10.0.50.201")) is None
    assert lan_watch.answer_of(reply[:20], wanted) is None


def tries(*entries: tuple[float, str | None]) -> list[failover.Try]:
    """Return what a client saw over HTTP."""
    return [failover.Try(at, "http", answer) for at, answer in entries]


def test_silence_lasts_until_the_first_answer_after_a_failure() -> None:
    seen = tries((9.9, "a"), (10.1, "a"), (11.2, None), (12.3, None), (27.0, "b"), (28.0, None))
    assert failover.silence(seen, "http", cut=10.0) == pytest.approx(17.0)
    assert failover.last_failure(seen, "http", cut=10.0) == pytest.approx(18.0)


def test_silence_that_does_not_end_is_not_measured() -> None:
    assert failover.silence(tries((9.0, "a"), (11.0, None)), "http", cut=10.0) is None
    assert failover.silence(tries((9.0, "a"), (11.0, "a")), "http", cut=10.0) is None


def test_tries_are_read_in_the_order_of_time() -> None:
    text = '{"at": 2.0, "http": null}\n{"at": 1.0, "arp": "02:00"}\n'
    assert failover.parse(text) == [failover.Try(1.0, "arp", "02:00"), failover.Try(2.0, "http", None)]


def test_libraries_keep_their_place_below_usr() -> None:
    root = Path("/r")
    assert closure.inside(root, Path("/lib64/ld.so")) == Path("/r/usr/lib64/ld.so")
    assert closure.inside(root, Path("/usr/lib/x/libc.so")) == Path("/r/usr/lib/x/libc.so")


def test_containerd_is_not_told_to_read_the_file_that_talos_still_writes() -> None:
    part = '[runc]\n  base_runtime_spec = "/etc/cri/conf.d/base-spec.json"\n[nri]\n'
    assert rootfs.without_base_spec(part) == "[runc]\n[nri]\n"


def test_machined_is_patched_in_one_place_or_not_at_all(tmp_path: Path) -> None:
    source = tmp_path / "process.go"
    source.write_text(f"if !ok || {tools.REFUSED} {{")
    tools.patch(source)
    assert source.read_text() == f"if !ok || {tools.TOLERATED} {{"
    source.write_text("something else")
    with pytest.raises(ToolsError, match="not as expected: the OOM score cannot be patched"):
        tools.patch(source)


def test_messages_are_compared_without_what_differs_from_run_to_run() -> None:
    said = "error: 10.0.50.11:50000: dial /dev/fd/5 of cp1\nUsage:\n  talosctl"
    assert stable(said) == "error: ADDRESS: dial FILE of NODE"
    refused = "rpc error: code = Unavailable desc = write tcp 10.0.0.1:2->10.0.0.2:3: write: broken pipe"
    assert stable(refused) == "rpc error: code = Unavailable desc = REFUSED WITHOUT A CERTIFICATE"


def test_shapes_cover_all_elements() -> None:
    stream = '{"a": 1, "b": [{"c": "x"}, {"d": true}]}\n{"a": 2}\n'
    assert shape_of(list(objects(stream))) == [{"a": "int", "b": [{"c": "str", "d": "bool"}]}]
    assert merge("int", "str") == "int|str"
    assert merge([], ["int"]) == ["int"]
