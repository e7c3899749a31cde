"""The ranges of a live cluster: written down once, refused when they change."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from steps.pinned_ranges import kept, pinned
from tests.unit.steps.steps_job import Bench

NOW = {
    "POD_CIDR": "10.244.0.0/16",
    "NODE_MASK": "24",
    "SERVICE_CIDR": "10.96.0.0/12",
    "IPAM_MODE": "kubernetes",
}
WRITTEN = "POD_CIDR=10.244.0.0/16 NODE_MASK=24 SERVICE_CIDR=10.96.0.0/12 IPAM_MODE=kubernetes"


def test_the_ranges_are_written_down() -> None:
    assert pinned(Bench(dict(NOW)).job) == WRITTEN


def test_the_same_ranges_are_kept() -> None:
    assert kept(Bench({**NOW, "PULUMI_COMMAND_STDOUT": WRITTEN}).job) == WRITTEN


def test_what_was_not_written_down_is_from_now_on() -> None:
    assert kept(Bench({**NOW, "PULUMI_COMMAND_STDOUT": "POD_CIDR=10.244.0.0/16"}).job) == WRITTEN


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("POD_CIDR", "10.128.0.0/16", "network.podCidr is 10.244.0.0/16 and cannot become 10.128.0.0/16"),
        ("NODE_MASK", "25", "network.nodeMask is 24 and cannot become 25"),
        ("SERVICE_CIDR", "10.112.0.0/16", "network.serviceCidr is 10.96.0.0/12 and cannot become"),
        ("IPAM_MODE", "cluster-pool", "ipam.mode is kubernetes and cannot become cluster-pool"),
    ],
)
def test_another_range_is_refused_with_old_and_new(name: str, value: str, line: str) -> None:
    bench = Bench({**NOW, name: value, "PULUMI_COMMAND_STDOUT": WRITTEN})
    with pytest.raises(OperationError) as caught:
        kept(bench.job)
    assert "the network of a live cluster cannot be changed; nothing has been touched" in str(caught.value)
    assert line in str(caught.value)
    assert str(caught.value).count("cannot become") == 1
    assert "check: docs/cilium.md, 'Changing a range'" in str(caught.value)


def test_every_range_that_changed_is_named() -> None:
    bench = Bench({**NOW, "NODE_MASK": "25", "POD_CIDR": "10.1.0.0/16", "PULUMI_COMMAND_STDOUT": WRITTEN})
    with pytest.raises(OperationError) as caught:
        kept(bench.job)
    assert str(caught.value).count("cannot become") == 2


def test_an_update_without_the_last_result_is_refused() -> None:
    with pytest.raises(OperationError, match=r"^PULUMI_COMMAND_STDOUT is not set in the environment"):
        kept(Bench(dict(NOW)).job)
