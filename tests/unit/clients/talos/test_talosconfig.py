"""talosconfig and kubeconfig: strict editing, strict reading."""

from __future__ import annotations

import base64
import json

import pytest

from clients.errors import OperationError
from clients.kubernetes.connection import Kubeconfig, parse_kubeconfig
from clients.talos.talosconfig import Talosconfig, parse_talosconfig, with_addresses
from tests.unit.steps.steps_job import CA, TALOSCONFIG

GENERATED = "context: lab\ncontexts:\n    lab:\n        endpoints: []\n        ca: QUJD\n        crt: QUJD\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


KUBECONFIG = f"""\
apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: https://10.0.50.10:6443
    certificate-authority-data: {encoded("ca")}
users:
- name: admin@lab
  user:
    client-certificate-data: {encoded("certificate")}
    client-key-data: {encoded("key")}
contexts:
- context:
    cluster: lab
    namespace: default
    user: admin@lab
  name: admin@lab
current-context: admin@lab
"""
PARSED = Kubeconfig("https://10.0.50.10:6443", "ca", "certificate", "key", "")


def test_addresses_are_filled_in() -> None:
    text = with_addresses(GENERATED, ["10.0.50.11", "10.0.50.12"])
    assert text == (
        "context: lab\ncontexts:\n    lab:\n"
        "        endpoints:\n            - 10.0.50.11\n            - 10.0.50.12\n"
        "        nodes:\n            - 10.0.50.11\n            - 10.0.50.12\n"
        "        ca: QUJD\n        crt: QUJD\n"
    )
    assert parse_talosconfig(text) == Talosconfig("ABC", ("10.0.50.11", "10.0.50.12"))


@pytest.mark.parametrize(
    "text",
    [
        "context: lab\n",
        GENERATED + GENERATED,
        GENERATED + "        nodes:\n            - 10.0.50.11\n",
        GENERATED.replace("[]", "[10.0.50.11]"),
    ],
    ids=["missing", "twice", "nodes", "filled"],
)
def test_a_talosconfig_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(OperationError, match=r"expected exactly one line 'endpoints: \[\]' and no 'nodes:'"):
        with_addresses(text, ["10.0.50.11"])


def test_reading_a_talosconfig() -> None:
    assert parse_talosconfig(TALOSCONFIG) == Talosconfig(CA, ("10.0.50.11", "10.0.50.12", "10.0.50.13"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "exactly one context, with 'ca' and a list 'nodes'"),
        (GENERATED, "exactly one context, with 'ca' and a list 'nodes'"),
        (TALOSCONFIG + TALOSCONFIG, "exactly one context, with 'ca' and a list 'nodes'"),
        (
            TALOSCONFIG.replace("ca: ", "ca: *"),
            "the field 'ca' of the talosconfig on stdin is not a certificate",
        ),
    ],
    ids=["empty", "no nodes", "two contexts", "not base64"],
)
def test_a_talosconfig_that_cannot_be_read(text: str, message: str) -> None:
    with pytest.raises(OperationError, match=message):
        parse_talosconfig(text)


def test_kubeconfig_of_talosctl() -> None:
    assert parse_kubeconfig(KUBECONFIG) == PARSED


def test_kubeconfig_with_quotes() -> None:
    quoted = KUBECONFIG.replace(": https://10.0.50.10:6443", ': "https://10.0.50.10:6443"')
    assert parse_kubeconfig(quoted) == PARSED


def test_kubeconfig_as_json_with_a_token() -> None:
    text = json.dumps(
        {
            "clusters": [
                {
                    "name": "lab",
                    "cluster": {"server": "https://h:1", "certificate-authority-data": encoded("ca")},
                }
            ],
            "users": [{"name": "bot", "user": {"token": "t0ken", "tokenFile": 1}}],
        }
    )
    assert parse_kubeconfig(text) == Kubeconfig("https://h:1", "ca", "", "", "t0ken")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no 'server'"),
        (KUBECONFIG.replace("certificate-authority-data", "x"), "it has no 'certificate-authority-data'"),
        (KUBECONFIG + KUBECONFIG, "it has more than one 'certificate-authority-data'"),
        (
            KUBECONFIG.replace("client-key-data", "x"),
            "it has neither a token nor a client certificate with its key",
        ),
        (KUBECONFIG.replace(encoded("key"), "ke*y"), "its 'client-key-data' is not base64"),
        ("{", "it looks like JSON and is none"),
    ],
    ids=["empty", "no ca", "two clusters", "no key", "not base64", "not json"],
)
def test_a_kubeconfig_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(OperationError) as caught:
        parse_kubeconfig(text)
    assert f"the kubeconfig cannot be used: {message}" in str(caught.value)
    assert "check: that it holds exactly one cluster and one user" in str(caught.value)


def test_access_data_does_not_show() -> None:
    assert repr(PARSED) == "Kubeconfig(server='https://10.0.50.10:6443')"
