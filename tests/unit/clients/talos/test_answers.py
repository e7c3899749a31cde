"""What talosctl's messages mean, by the messages of the real one (v1.13.0)."""

from __future__ import annotations

import json

import pytest

from clients.talos.answers import (
    Kind,
    changed_fields,
    classify,
    client_minor,
    etcd_member_ids,
    json_stream,
    words,
)
from clients.talos.process import Result
from tests.unit.steps.steps_job import FOREIGN, MAINTENANCE_REFUSED, UNAVAILABLE, failed, members

IMMEDIATE = (
    "error applying new configuration: rpc error: code = InvalidArgument desc = "
    "this config change can't be applied in immediate mode\n"
    "diff:\n--- a\n+++ b\n@@ -1,6 +1,7 @@\n machine:\n     type: controlplane\n"
    "-    token: aaaaaa.0123456789abcdef\n+    token: bbbbbb.0123456789abcdef\n"
    "     env: {}\n+    features:\n+        - rbac: true\n+          rbac: false\n"
)
USAGE = (
    "error executing bootstrap: rpc error: code = FailedPrecondition desc = run this command later\n\n"
    "Usage:\n  talosctl bootstrap [flags]\n\nFlags:\n  -h, --help   help for bootstrap\n"
)

NOT_VALID_NOW = (
    'rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake '
    'failed: tls: failed to verify certificate: x509: certificate has expired or is not yet valid"'
)
OUR_CERTIFICATE_EXPIRED = (
    'rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: '
    'remote error: tls: expired certificate"'
)
REFUSED = (
    "error applying new configuration: InvalidArgument: this config change can't be applied in immediate mode"
)

KINDS: list[tuple[str, Kind]] = [
    (UNAVAILABLE, Kind.TRANSIENT),
    (MAINTENANCE_REFUSED, Kind.FINAL),
    (FOREIGN, Kind.FINAL),
    (NOT_VALID_NOW, Kind.TRANSIENT),
    (OUR_CERTIFICATE_EXPIRED, Kind.FINAL),
    ("rpc error: code = FailedPrecondition desc = bootstrap is not available yet", Kind.TRANSIENT),
    ("rpc error: code = FailedPrecondition desc = time is not in sync yet", Kind.TRANSIENT),
    ("rpc error: code = FailedPrecondition desc = method is not supported in container mode", Kind.FINAL),
    ("rpc error: code = AlreadyExists desc = etcd data directory is not empty", Kind.EXISTS),
    ("rpc error: code = Unimplemented desc = bootstrap is only available on control plane nodes", Kind.FINAL),
    ("rpc error: code = InvalidArgument desc = invalid config", Kind.FINAL),
    ("rpc error: code = PermissionDenied desc = not authorized", Kind.FINAL),
    ("rpc error: code = DeadlineExceeded desc = context deadline exceeded", Kind.TRANSIENT),
    ("rpc error: code = Unknown desc = dial tcp 10.0.50.11:2379: i/o timeout", Kind.TRANSIENT),
    ("failed to determine endpoints", Kind.FINAL),
    (IMMEDIATE, Kind.NEEDS_REBOOT),
    (USAGE, Kind.TRANSIENT),
]


@pytest.mark.parametrize(("stderr", "kind"), KINDS, ids=lambda value: str(value)[-60:])
def test_kind_of_a_failure(stderr: str, kind: Kind) -> None:
    assert classify(failed(stderr)) is kind


def test_a_call_that_was_ended_is_tried_again() -> None:
    late = Result(None, "", "half a wo")
    assert classify(late) is Kind.TRANSIENT
    assert words(late) == "no answer within the time limit of the call"


@pytest.mark.parametrize(
    ("stderr", "shown"),
    [
        (USAGE, "error executing bootstrap: FailedPrecondition: run this command later"),
        (IMMEDIATE, REFUSED),
        (
            "1 error occurred:\n\t* static hostname is already set\n\n",
            "1 error occurred: * static hostname is already set",
        ),
        (UNAVAILABLE, "error executing: Unavailable: dial tcp 10.0.50.11:50000: connect: connection refused"),
        (
            OUR_CERTIFICATE_EXPIRED,
            "Unavailable: error reading server preface: remote error: tls: expired certificate",
        ),
        ("", "exit status 1 without any output"),
        ("x" * 700, "x" * 600 + "…"),
    ],
    ids=["usage", "diff", "lines", "dial", "tls", "nothing", "long"],
)
def test_words_are_one_line_without_noise(stderr: str, shown: str) -> None:
    assert words(failed(stderr)) == shown


def test_changed_fields_are_names_without_values() -> None:
    assert changed_fields(IMMEDIATE) == ("token", "features", "rbac")


def test_json_stream_reads_one_object_after_another() -> None:
    text = json.dumps({"a": 1}, indent=4) + "\n" + json.dumps({"b": {}}) + "\n"
    assert json_stream(text) == [{"a": 1}, {"b": {}}]
    assert json_stream(" \n") == []


@pytest.mark.parametrize("text", ["[1]", "NODE   NAMESPACE\n", '{"a": 1} rest'])
def test_json_stream_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected JSON objects|Expecting value"):
        json_stream(text)


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("Client:\nTalos v1.13.0\n", (1, 13)),
        ("Client:\nTalos v1.14.0-alpha.1\n", (1, 14)),
        ("Client:\n", None),
    ],
)
def test_client_minor(text: str, minor: tuple[int, int] | None) -> None:
    assert client_minor(text) == minor


def test_member_ids_are_found_by_the_heading() -> None:
    table = members("5d2f3c0e8a1b4c6d", "9a1b4c6d5d2f3c0e", learners=("0e8a1b4c6d5d2f3c",)).stdout
    assert etcd_member_ids(table) == (
        frozenset({"5d2f3c0e8a1b4c6d", "9a1b4c6d5d2f3c0e"}),
        frozenset({"0e8a1b4c6d5d2f3c"}),
    )


def test_member_ids_without_a_node_column() -> None:
    table = "ID     HOSTNAME   LEARNER\nff00   cp1        false\n"
    assert etcd_member_ids(table) == (frozenset({"ff00"}), frozenset())


@pytest.mark.parametrize(
    "table", ["", "NODE   MEMBER\n", "ID   HOSTNAME   PEER URLS   CLIENT URLS   LEARNER\nff\n"]
)
def test_an_unknown_table_is_not_guessed_at(table: str) -> None:
    assert etcd_member_ids(table) is None
