"""How long the client certificates of kubeconfig and talosconfig are still valid."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import yaml

from clients.errors import OperationError
from clients.kubernetes.connection import parse_kubeconfig
from ops.table import Row, failed, not_applicable, passed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.sources import Credentials

# A month leaves time for a person who looks at the table once in a while.
WARNING = timedelta(days=30)
RENEWAL = "raise talos.credentialsSerial and run `pulumi up`"
# The two ways in which DER writes a moment in a certificate (RFC 5280, 4.1.2.5), after its tag and length.
# The standard library reads no X.509; the two times of validity are the only ones in a certificate.
_TIME = re.compile(rb"\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z")
_END = 1  # validity is notBefore, notAfter


class UnreadableError(ValueError):
    """A config has no certificate that can be read; the text says which part."""


def rows(credentials: Credentials, now: datetime) -> Iterator[Row]:
    """Yield a line per config that there is."""
    for name, text, read in (
        ("kubeconfig", credentials.kubeconfig, kubeconfig_certificate),
        ("talosconfig", credentials.talosconfig, talosconfig_certificate),
    ):
        if text:
            check = f"certificate of the {name}"
            try:
                pem = read(text)
                yield remaining(check, not_after(pem), now) if pem else _token(check)
            except UnreadableError as error:
                yield failed(check, str(error))


def _token(check: str) -> Row:
    return not_applicable(check, "a token is used instead of a certificate")


def kubeconfig_certificate(text: str) -> str:
    """Return the client certificate of a kubeconfig as PEM, empty where a token is used.

    Raises:
        UnreadableError: there is no client certificate in it.
    """
    try:
        return parse_kubeconfig(text).certificate
    except OperationError as error:
        raise UnreadableError(str(error.args[0])) from None


def talosconfig_certificate(text: str) -> str:
    """Return the client certificate of a talosconfig's current context as PEM."""
    return _talos_field(text, "crt")


def talos_ca(text: str) -> str:
    """Return the CA of a talosconfig's current context as PEM."""
    return _talos_field(text, "ca")


def _talos_field(text: str, name: str) -> str:
    try:
        document = yaml.safe_load(text)
        encoded = document["contexts"][document["context"]][name]
        return base64.b64decode(encoded, validate=True).decode("ascii")
    # The text is never quoted: it holds the private key of the administrator.
    except (yaml.YAMLError, KeyError, TypeError, binascii.Error, ValueError):
        raise UnreadableError(f"the talosconfig has no {name} in its current context") from None


def not_after(pem: str) -> datetime:
    """Return the end of a certificate's validity.

    Only the two dates of the validity are looked for: serial and issuer, which come before, hold no text of
    that form.

    Raises:
        UnreadableError: the text is no certificate.
    """
    try:
        der = ssl.PEM_cert_to_DER_cert(pem)
    except ValueError:
        raise UnreadableError("it is no PEM certificate") from None
    # Years from 2050 on are written in the long form, and the CA lives ten years.
    moments = [short or long for short, long in _TIME.findall(der)]
    if len(moments) <= _END:
        raise UnreadableError("it has no validity that can be read")
    return _moment(moments[_END].decode())


def _moment(digits: str) -> datetime:
    """Return a moment in UTC; two-digit years from 50 on are of the last century (RFC 5280)."""
    if len(digits) == len("YYMMDDhhmmss"):
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def remaining(check: str, end: datetime, now: datetime) -> Row:
    """Return how many days are left; less than 30 is a failure, while there is time to renew."""
    left = end - now
    # Asked first: of an expired one the days left would be negative.
    if left <= timedelta():
        return failed(check, f"expired on {end:%Y-%m-%d}", RENEWAL)
    if left < WARNING:
        return failed(check, f"expires in {left.days} days, on {end:%Y-%m-%d}", RENEWAL)
    return passed(check, f"valid for {left.days} more days")
