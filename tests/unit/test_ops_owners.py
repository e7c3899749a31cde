"""Who applies pools and policy, seen before two of them fight."""

from __future__ import annotations

import pytest

from ops import owners
from ops.facts import Policy, Pool, Seen

FLUX, PULUMI = "kustomize-controller", "pulumi-kubernetes-1f3a"


@pytest.mark.parametrize(
    ("owner", "managers", "evidence"),
    [
        ("pulumi", (PULUMI,), PULUMI),
        ("pulumi", (), "nobody has applied it"),
        ("pulumi", (FLUX, PULUMI), f"loadBalancer.owner is pulumi, but {FLUX} holds fields of it"),
        ("flux", (FLUX,), FLUX),
        ("flux", (FLUX, PULUMI), f"loadBalancer.owner is flux, but {PULUMI} holds fields of it"),
        ("handover", (FLUX, PULUMI), f"{FLUX}, {PULUMI}"),
        ("flux", ("kubectl",), "kubectl"),
    ],
)
def test_the_owner_of_the_config_and_no_other(owner: str, managers: tuple[str, ...], evidence: str) -> None:
    seen = Seen(pools=(Pool("a", (), managers=managers),), policies=(Policy("b", managers=managers),))
    assert [(row.check, row.evidence) for row in owners.rows(seen, owner)] == [
        ("owner of pool a", evidence),
        ("owner of policy b", evidence),
    ]
