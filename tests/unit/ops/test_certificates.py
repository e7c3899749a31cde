"""How long client certificates are still valid."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from ops import certificates
from ops.certificates import UnreadableError
from ops.sources import Credentials
from ops.table import Verdict
from tests.unit.steps.steps_certificates import identity

YEAR = identity("admin", lasts=timedelta(days=365))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(pem: str) -> str:
    cluster = {"server": "https://127.0.0.1:6443", "certificate-authority-data": encoded(YEAR.certificate)}
    user = {"client-certificate-data": encoded(pem), "client-key-data": encoded(YEAR.key.pem)}
    return yaml.safe_dump({"clusters": [{"cluster": cluster}], "users": [{"user": user}]}, width=10000)


def talosconfig(pem: str) -> str:
    context = {"ca": encoded(YEAR.certificate), "crt": encoded(pem), "key": encoded("k")}
    return yaml.safe_dump({"context": "lab", "contexts": {"lab": context}})


def rows(kube: str, talos: str, later: timedelta = timedelta()) -> list[tuple[str, Verdict, str]]:
    now = datetime.now(UTC) + later
    found = certificates.rows(Credentials(kube, talos), now)
    return [(row.check, row.verdict, row.evidence) for row in found]


def test_a_year_is_left() -> None:
    assert rows(kubeconfig(YEAR.certificate), talosconfig(YEAR.certificate)) == [
        ("certificate of the kubeconfig", Verdict.PASS, "valid for 364 more days"),
        ("certificate of the talosconfig", Verdict.PASS, "valid for 364 more days"),
    ]


def test_there_is_time_to_renew() -> None:
    end = certificates.not_after(YEAR.certificate)
    (row,) = certificates.rows(Credentials("", talosconfig(YEAR.certificate)), end - timedelta(days=10))
    assert row.verdict is Verdict.FAIL
    assert row.evidence == f"expires in 10 days, on {end:%Y-%m-%d}"
    assert row.advice == "raise talos.credentialsSerial and run `pulumi up`"


def test_it_is_too_late() -> None:
    end = certificates.not_after(YEAR.certificate)
    (row,) = certificates.rows(Credentials("", talosconfig(YEAR.certificate)), end)
    assert (row.verdict, row.evidence) == (Verdict.FAIL, f"expired on {end:%Y-%m-%d}")


def test_a_token_has_no_certificate() -> None:
    text = f"server: https://127.0.0.1:6443\ncertificate-authority-data: {encoded('x')}\ntoken: t\n"
    assert rows(text, "") == [
        (
            "certificate of the kubeconfig",
            Verdict.NOT_APPLICABLE,
            "a token is used instead of a certificate",
        )
    ]


@pytest.mark.parametrize(
    ("kube", "talos", "evidence"),
    [
        ("server: x", "", "the kubeconfig cannot be used: it has no 'certificate-authority-data'"),
        ("", "a: [", "the talosconfig has no crt in its current context"),
        ("", "context: lab", "the talosconfig has no crt in its current context"),
        ("", "[]", "the talosconfig has no crt in its current context"),
        ("", talosconfig("no pem"), "it is no PEM certificate"),
        (
            "",
            talosconfig("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "it has no validity that can be read",
        ),
    ],
)
def test_what_cannot_be_read_is_said(kube: str, talos: str, evidence: str) -> None:
    assert [row[1:] for row in rows(kube, talos)] == [(Verdict.FAIL, evidence)]


def test_both_ways_of_writing_a_moment() -> None:
    assert certificates._moment("270102030405") == datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert certificates._moment("990102030405").year == 1999
    assert certificates._moment("20510102030405").year == 2051


def test_short_years_are_found_in_a_certificate() -> None:
    der = b"\x17\x0d250102030405Z\x17\x0d270102030405Z"
    pem = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
    assert certificates.not_after(pem) == datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_ca_of_a_talosconfig() -> None:
    assert certificates.talos_ca(talosconfig(YEAR.certificate)) == YEAR.certificate
    with pytest.raises(UnreadableError, match="the talosconfig has no ca in its current context"):
        certificates.talos_ca("{}")
