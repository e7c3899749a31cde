"""Who applies pools and policy, seen before two of them fight."""

from __future__ import annotations

import json
import shlex

import pytest

from ops import owners
from ops.facts import FieldEntry, Policy, Pool, Seen

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
    fields = tuple(FieldEntry(index, manager) for index, manager in enumerate(managers))
    seen = Seen(pools=(Pool("a", (), fields=fields),), policies=(Policy("b", fields=fields),))
    assert [(row.check, row.evidence) for row in owners.rows(seen, owner)] == [
        ("owner of pool a", evidence),
        ("owner of policy b", evidence),
    ]


def test_what_a_former_owner_holds_is_taken_away_from_the_end() -> None:
    """Indices move when an entry goes; each removal first tests that the entry still is that manager's."""
    fields = (FieldEntry(0, PULUMI), FieldEntry(1, "kubectl"), FieldEntry(3, "pulumi-kubernetes"))
    seen = Seen(pools=(Pool("a", (), fields=fields),), policies=(Policy("b", fields=fields[1:2]),))
    (command,) = owners.commands(seen, "flux")
    *words, patch = shlex.split(command)
    assert words == ["kubectl", "patch", "ciliumloadbalancerippools.cilium.io", "a", "--type=json"]
    assert json.loads(patch.removeprefix("--patch=")) == [
        {"op": "test", "path": "/metadata/managedFields/3/manager", "value": "pulumi-kubernetes"},
        {"op": "remove", "path": "/metadata/managedFields/3"},
        {"op": "test", "path": "/metadata/managedFields/0/manager", "value": PULUMI},
        {"op": "remove", "path": "/metadata/managedFields/0"},
    ]


def test_policies_are_cleared_too_and_nothing_is_in_a_handover() -> None:
    seen = Seen(policies=(Policy("b", fields=(FieldEntry(0, FLUX),)),))
    assert [shlex.split(command)[2] for command in owners.commands(seen, "pulumi")] == [
        "ciliuml2announcementpolicies.cilium.io"
    ]
    assert list(owners.commands(seen, "handover")) == []
