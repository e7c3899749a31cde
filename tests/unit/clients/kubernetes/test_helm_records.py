"""Helm's record of an interrupted run: what is recognised as ours, and what is forgotten."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from clients.errors import OperationError
from clients.kubernetes.api import Answer, Unanswered
from clients.kubernetes.helm_records import (
    ReleaseRevision,
    forget,
    in_the_way,
    is_repairable,
    plain,
    read_record,
)
from components.cilium import repair
from components.component import KubernetesArgs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Hook = Callable[[pulumi.ErrorHookArgs], Awaitable[bool]]

VALUES = {"k8sServicePort": 7445, "operator": {"replicas": 2}, "devices": ["eth0"]}
PATH = "/api/v1/namespaces/kube-system/secrets"


def record(revision: int, status: str, values: Mapping[str, Any] = VALUES) -> ReleaseRevision:
    return ReleaseRevision(f"sh.helm.release.v1.cilium.v{revision}", revision, status, values)


def secret(revision: int, status: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a Secret as Helm 3 stores it."""
    release = {"name": "cilium", "version": revision, "info": {"status": status}, "config": values}
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode())))
    return {
        "metadata": {"name": f"sh.helm.release.v1.cilium.v{revision}"},
        "data": {"release": packed.decode()},
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("create Helm release: cannot re-use a name that is still in use", True),
        ("another operation (install/upgrade/rollback) is in progress", True),
        ("chart requires kubeVersion: >= 1.21.0-0", False),
    ],
)
def test_only_a_record_in_the_way_is_repaired(error: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert is_repairable(error) is expected


def test_a_secret_of_helm_is_read() -> None:
    assert read_record(secret(3, "pending-upgrade", VALUES)) == record(3, "pending-upgrade")
    assert read_record(secret(1, "deployed", None)).values == {}


def test_whole_numbers_compare_as_such_however_they_travelled() -> None:
    assert plain({"a": 7445.0, "b": [1.5, (2.0,)], "c": True}) == {"a": 7445, "b": [1.5, [2]], "c": True}


@pytest.mark.parametrize("status", ["pending-install", "deployed", "failed"])
def test_a_release_that_pulumi_does_not_know_is_forgotten_whole(status: str) -> None:
    """Its values are this stack's, so a killed run of this stack made it."""
    found = in_the_way([record(2, status), record(1, "superseded")], "cilium", VALUES, exists=False)
    assert found == ["sh.helm.release.v1.cilium.v1", "sh.helm.release.v1.cilium.v2"]


def test_of_a_known_release_only_an_interrupted_upgrade_is_forgotten() -> None:
    before = record(1, "deployed", {"older": True})
    pending = record(2, "pending-upgrade")
    assert in_the_way([before, pending], "cilium", VALUES, exists=True) == [pending.secret]
    assert in_the_way([record(1, "deployed")], "cilium", VALUES, exists=True) == []


def test_nothing_is_in_the_way_where_there_is_no_record() -> None:
    assert in_the_way([], "cilium", VALUES, exists=False) == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_release_with_other_values_is_somebody_elses(exists: bool) -> None:  # noqa: FBT001 - a table
    with pytest.raises(
        OperationError,
        match=r"^a Helm release cilium is there \(revision 1, deployed\) with other values than this",
    ):
        in_the_way([record(1, "deployed", {"other": 1})], "cilium", VALUES, exists=exists)


class FakeSecrets:
    """An API server with the Secrets of Helm."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self.stored = items
        self.asked: list[tuple[str, str]] = []

    def items(self, path: str) -> list[dict[str, Any]]:
        self.asked.append(("GET", path))
        return self.stored

    def ask(self, path: str, method: str) -> Answer:
        self.asked.append((method, path))
        return Answer(200, "{}", "")

    def decode(self, answer: Answer, path: str) -> dict[str, Any]:
        assert (answer.status, answer.body) == (200, "{}"), path
        return {}


def test_forgetting_deletes_the_records_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = FakeSecrets([secret(1, "pending-install", VALUES)])
    monkeypatch.setattr("clients.kubernetes.helm_records.open_kube", lambda _text: kube)
    assert forget("kubeconfig", "kube-system", "cilium", VALUES, exists=False) == [
        "sh.helm.release.v1.cilium.v1"
    ]
    assert kube.asked == [
        ("GET", f"{PATH}?labelSelector=owner%3Dhelm%2Cname%3Dcilium"),
        ("DELETE", f"{PATH}/sh.helm.release.v1.cilium.v1"),
    ]


def test_an_api_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(FakeSecrets):
        def items(self, path: str) -> list[dict[str, Any]]:
            raise Unanswered(f"{path} is silent")

    monkeypatch.setattr("clients.kubernetes.helm_records.open_kube", lambda _text: Dead([]))
    with pytest.raises(
        OperationError, match=r"^the record of Helm release cilium could not be repaired: .* is silent$"
    ):
        forget("kubeconfig", "kube-system", "cilium", VALUES, exists=False)


def failed(*errors: str, operation: str = "create") -> pulumi.ErrorHookArgs:
    return pulumi.ErrorHookArgs(
        "urn", "", "cilium-release", "type", failed_operation=operation, errors=[*errors]
    )


NAME_IN_USE = "cannot re-use a name that is still in use"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (failed(NAME_IN_USE), True),
        (failed(NAME_IN_USE, operation="update"), True),
        (failed(NAME_IN_USE, operation="delete"), False),
        (failed(NAME_IN_USE, NAME_IN_USE), False),
        (failed("chart not found"), False),
    ],
)
def test_the_hook_repairs_the_first_failure_of_its_kind(
    failure: pulumi.ErrorHookArgs,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert repair.may_repair(failure) is expected


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Hook:
    """The callback of the hook, without an engine to register it."""
    made: dict[str, Hook] = {}
    monkeypatch.setattr(pulumi, "ErrorHook", made.setdefault)
    args = KubernetesArgs(cluster=None, kubeconfig="kubeconfig")  # type: ignore[arg-type]
    repair.repair_hook("release-repair", args, "kube-system", "cilium", VALUES)
    return made["release-repair"]


async def call(hook: Hook, failure: pulumi.ErrorHookArgs) -> bool:
    return await hook(failure)


@pytest.mark.parametrize(("gone", "again"), [(["v1"], True), ([], False)])
def test_the_engine_tries_again_if_something_was_forgotten(
    hook: Hook,
    monkeypatch: pytest.MonkeyPatch,
    gone: list[str],
    again: bool,  # noqa: FBT001 - a table
) -> None:
    asked: list[Any] = []
    said: list[str] = []

    def forgetting(*given: Any, exists: bool) -> list[str]:  # noqa: ANN401
        asked.append((*given, exists))
        return gone

    monkeypatch.setattr(repair, "forget", forgetting)
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    assert asyncio.run(call(hook, failed(NAME_IN_USE))) is again
    assert asked == [("kubeconfig", "kube-system", "cilium", VALUES, False)]
    assert said == ([f"forgot Helm's record of an interrupted run: {', '.join(gone)}"] if again else [])


def test_another_failure_is_left_to_the_engine(hook: Hook) -> None:
    assert asyncio.run(call(hook, failed("chart not found"))) is False


def test_a_release_of_somebody_else_is_told_and_left_alone(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def refuse(*_given: Any, exists: bool) -> list[str]:  # noqa: ANN401
        raise OperationError(f"somebody else's, {exists}")

    monkeypatch.setattr(repair, "forget", refuse)
    monkeypatch.setattr(pulumi.log, "error", said.append)
    assert asyncio.run(call(hook, failed(NAME_IN_USE, operation="update"))) is False
    assert said == ["somebody else's, True"]
