"""A Helm release that a killed run left behind: Helm's record of it stands in the way of the next run.

Helm keeps a release in Secrets, writes `pending-install` or `pending-upgrade` first, `deployed` at the end.
A run that is killed in between, or before Pulumi has noted the result, makes every later one fail: `cannot
re-use a name that is still in use`, `another operation … is in progress`. Helm takes over objects that carry
its own annotations, so forgetting the record and installing again touches nothing that runs.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.errors import OperationError
from clients.kubernetes.api import Unanswered, open_kube

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clients.kubernetes.api import Kube, Object

REPAIRABLE = (
    "cannot re-use a name that is still in use",
    "another operation (install/upgrade/rollback) is in progress",
)
"""Helm's words for a record that stands in the way."""


@dataclass(frozen=True, slots=True)
class ReleaseRevision:
    """One revision of a release.

    Attributes:
        secret: Name of the Secret that holds it.
        status: Helm's own: `deployed`, `failed`, `pending-install`, `pending-upgrade`, …
        values: What the user of Helm gave, here the program.
    """

    secret: str
    revision: int
    status: str
    values: Mapping[str, Any]


def is_repairable(error: str) -> bool:
    """Return whether Helm failed because of a record that stands in the way."""
    return any(words in error for words in REPAIRABLE)


def forget(
    kubeconfig: str, namespace: str, name: str, values: Mapping[str, Any], *, exists: bool
) -> list[str]:
    """Delete the records of an interrupted run and return the names of their Secrets.

    Args:
        kubeconfig: Administrator's access to the cluster.
        namespace: Namespace of the release.
        name: Name of the release.
        values: The values that this program gives; a record with other values is somebody else's.
        exists: Whether Pulumi knows the release, so that only an interrupted upgrade is forgotten.

    Raises:
        OperationError: the release is not this program's, or the API server does not answer.
    """
    kube = open_kube(kubeconfig)
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        found = kube.items(f"{path}?labelSelector=owner%3Dhelm%2Cname%3D{name}")
        secrets = in_the_way([read_record(item) for item in found], name, values, exists=exists)
        for secret in secrets:
            _delete(kube, f"{path}/{secret}")
    except Unanswered as reason:
        raise OperationError(f"the record of Helm release {name} could not be repaired: {reason}") from None
    return secrets


def _delete(kube: Kube, path: str) -> None:
    kube.decode(kube.ask(path, "DELETE"), path)


def read_record(secret: Object) -> ReleaseRevision:
    """Return what a Secret of Helm's storage says: gzipped JSON, twice in base64."""
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release = json.loads(gzip.decompress(packed))
    return ReleaseRevision(
        secret=secret["metadata"]["name"],
        revision=int(release["version"]),
        status=str(release["info"]["status"]),
        values=release.get("config") or {},
    )


def in_the_way(
    records: Sequence[ReleaseRevision], name: str, values: Mapping[str, Any], *, exists: bool
) -> list[str]:
    """Return the Secrets to delete so that Helm can go on; see `forget`.

    Raises:
        OperationError: a record is not one that this program may forget.
    """
    ordered = sorted(records, key=lambda record: record.revision)
    if not ordered:
        return []
    last = ordered[-1]
    # A release with other values may be in use by another program; forgetting it would orphan its objects.
    if plain(last.values) != plain(values):
        raise OperationError(
            f"a Helm release {name} is there (revision {last.revision}, {last.status}) with other values "
            "than this stack's, so this stack did not make it; check: `helm history`, then uninstall it or "
            "roll it back, or import it with `pulumi import`",
        )
    # Pulumi knows no release, so nothing of the interrupted install may block the next one.
    if not exists:
        return [record.secret for record in ordered]
    # Older revisions are what Helm rolls back to.
    return [last.secret] if last.status.startswith("pending-") else []


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return JSON data with whole numbers as int: on the wire the engine knows only floats."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
