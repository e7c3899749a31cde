"""Nothing secret is printed, and what is not secret stays readable."""

from __future__ import annotations

import base64

import pytest

from steps.redact import redact, secret_values

KEY = base64.b64encode(
    b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEILtn\n-----END EC PRIVATE KEY-----\n"
).decode()
DOCUMENT = f"""\
machine:
    token: m9oy8h.y623nbcqokjh7ks2
    ca:
        crt: AAAA
        key: {KEY}
cluster:
    secret: da4p0D+eiNa957FjI+YdO5Sz9yL8EC/Bt2eSFrNRIx0=
    secretboxEncryptionSecret: "xbN9DKEAS+pnfGm"
    - client-key-data: Y2xpZW50IGtleQ==
    clusterName: homelab
    password: abc
"""


@pytest.mark.parametrize(
    "value",
    [
        "m9oy8h.y623nbcqokjh7ks2",
        KEY,
        "MHcCAQEEILtn",
        "da4p0D+eiNa957FjI+YdO5Sz9yL8EC/Bt2eSFrNRIx0=",
        "xbN9DKEAS+pnfGm",
        "Y2xpZW50IGtleQ==",
    ],
)
def test_values_of_secret_fields_are_hidden(value: str) -> None:
    values = secret_values([DOCUMENT])
    assert value in values
    assert redact(f"error near {value}: bad", values) == "error near [secret]: bad"


def test_other_values_are_kept() -> None:
    values = secret_values([DOCUMENT])
    assert "homelab" not in values
    assert "abc" not in values, "a value this short would tear words apart"
    assert redact("cluster homelab at 10.0.50.11", values) == "cluster homelab at 10.0.50.11"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a -----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY----- b", "a [secret] b"),
        ("a -----BEGIN PRIVATE KEY-----\nMC4CAQ", "a [secret]"),
        ("token abcdef.0123456789abcdef!", "token [secret]!"),
        ("key LS0tLS1CRUdJTiBFRDI1NTE5IFBSSVZBVEUgS0VZLS0tLS0K=", "key [secret]"),
    ],
)
def test_key_material_is_hidden_even_when_nobody_named_it(text: str, shown: str) -> None:
    assert redact(text, ()) == shown


@pytest.mark.parametrize(
    "text",
    [
        "factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba:v1.13.0",
        "/system/state/and/a/path/that/is/longer/than/forty/letters",
        "machine.network.interfaces is deprecated",
    ],
)
def test_ids_paths_and_words_are_no_key_material(text: str) -> None:
    assert redact(text, ()) == text
