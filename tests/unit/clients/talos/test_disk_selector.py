"""Selectors of disks, read as Talos reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from clients.talos.disk_selector import SelectorError, matches_glob, selects
from clients.talos.hardware import BlockDevice

DISK = BlockDevice(
    ("/dev/nvme0n1",),
    size=500_107_862_016,
    model="Samsung SSD 970 EVO",
    serial="S466NX0M",
    modalias="scsi:t-0x00",
    uuid="eui.1",
    wwid="eui.0025385b01",
    bus_path="/pci0000:00/0000:00:1d.0/0000:03:00.0/nvme",
    transport="nvme",
)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"size": ">= 500GB"}, True),
        ({"size": ">500 GB"}, True),
        ({"size": "<= 500GB"}, False),
        ({"size": "< 1TB"}, True),
        ({"size": "500107862016"}, True),
        ({"size": 500107862016}, True),
        ({"size": "== 500107862016B"}, True),
        ({"size": ">= 465GiB"}, True),
        ({"size": ">= 466gi"}, False),
        ({"size": "> 0.5t"}, True),
        ({"type": "nvme"}, True),
        ({"type": "ssd"}, True),
        ({"type": "hdd"}, False),
        ({"type": "sd"}, False),
        ({"model": "Samsung*"}, True),
        ({"model": "Samsung"}, False),
        ({"serial": "S466NX0M"}, True),
        ({"modalias": "scsi:*"}, True),
        ({"uuid": "eui.2"}, False),
        ({"wwid": "eui.*"}, True),
        ({"busPath": "/pci0000:00/*"}, True),
        ({"model": "*EVO*", "size": "< 100GB"}, False),
    ],
)
def test_selectors(selector: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert selects(selector, DISK) is expected


@pytest.mark.parametrize(
    "disk",
    [replace(DISK, is_writable=False), replace(DISK, transport="")],
    ids=["a CD-ROM", "a device mapper's"],
)
def test_disks_that_talos_never_takes(disk: BlockDevice) -> None:
    assert not selects({"type": "ssd"}, disk)


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ({"size": "big"}, "size must be like '>= 500GB', not 'big'"),
        ({"size": "1QB"}, "size has an unknown unit 'qb'"),
        ({"size": "1iB"}, "size has an unknown unit 'ib'"),
        ({"type": "tape"}, "type must be one of nvme, sd, hdd, ssd, not 'tape'"),
        ({"name": "x"}, "Talos does not support a selector on 'name'"),
    ],
)
def test_what_talos_cannot_read(selector: dict[str, Any], message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        selects(selector, DISK)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("a*c", "abc", True),
        ("a*c", "abd", False),
        ("a*c", "xabc", False),
        ("a*a", "a", False),
        ("*b*", "abc", True),
        ("*b*d*", "abc", False),
        ("*b*d*", "abcd", True),
        ("a.c", "abc", False),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:  # noqa: FBT001
    assert matches_glob(pattern, text) is expected


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not matches_glob("*a" * 50 + "*b", "a" * 5000)
