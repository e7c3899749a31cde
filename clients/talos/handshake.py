"""Looks at a node from outside, with one or two TLS handshakes: cheaper than a process of talosctl.

A machine in maintenance mode shows a self-signed certificate and lets everyone talk; a configured one shows a
certificate of its cluster's CA and refuses to talk without a client certificate of the same CA.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from enum import Enum

APID_PORT = 50000
PATIENCE = 3.0  # seconds for connecting, for each handshake and for the first word of the server
_NOT_YET_VALID, _EXPIRED = 9, 10  # OpenSSL's X509_V_ERR_CERT_*


class State(Enum):
    """What answers at an address."""

    SILENT = "does not answer"
    MAINTENANCE = "is in maintenance mode"
    OURS = "is a node of this cluster"
    FOREIGN = "is a node of another cluster"
    CLOCK = "is a node of this cluster whose certificate is not valid now: clocks differ"
    STRANGER = "is no Talos API"


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at an address.

    Attributes:
        detail: the operating system's or OpenSSL's words, for messages.
        identity: fingerprint of the certificate; a machine in maintenance mode makes a new one at each boot.
    """

    address: str
    state: State
    detail: str = ""
    identity: str = ""

    def __str__(self) -> str:
        """Return a clause for messages."""
        return f"{self.address} {self.state.value}{f' ({self.detail})' if self.detail else ''}"


def look(address: str, ca: str, port: int = APID_PORT) -> Sight:
    """Return what answers at the address, given our cluster's CA as PEM, empty if it has none yet."""
    if not ca:
        return _without_certificate(address, port)
    try:
        with _connected(address, port, _context(ca)):
            return Sight(address, State.OURS)
    except ssl.SSLCertVerificationError as error:
        # Our CA did sign it: calling this node foreign would send a person to look for the wrong fault.
        if error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
            return Sight(address, State.CLOCK, error.verify_message)
    except ssl.SSLError as error:
        return _not_tls(address, error)
    except OSError as error:
        return Sight(address, State.SILENT, _reason(error))
    return _without_certificate(address, port)


def _without_certificate(address: str, port: int) -> Sight:
    """Return whether a server that is not ours talks to a client without a certificate.

    In TLS 1.3 the handshake ends before the server judges the client: only its first word tells. A gRPC
    server speaks first, so nothing is sent, and its refusal cannot get lost.
    """
    try:
        with _connected(address, port, _context(None)) as connection:
            # Two machines may answer at the two addresses of one node; only the certificate tells them apart.
            identity = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
            if connection.recv(1):
                return Sight(address, State.MAINTENANCE, identity=identity)
            return Sight(address, State.SILENT, "the connection was closed")
    except ssl.SSLError as error:
        # Only a configured node asks for a client certificate, and ours has just been ruled out.
        if "CERTIFICATE_REQUIRED" in str(error.reason):
            return Sight(address, State.FOREIGN)
        return _not_tls(address, error)
    except OSError as error:
        return Sight(address, State.SILENT, _reason(error))


def _not_tls(address: str, error: ssl.SSLError) -> Sight:
    """Return what a failed handshake means: cut off in the middle, or no TLS server at all."""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Sight(address, State.SILENT, "the connection was closed")
    return Sight(address, State.STRANGER, str(error.reason or error))


def _reason(error: OSError) -> str:
    """Return the operating system's words."""
    return "timed out" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()


def _connected(address: str, port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection after its handshake; it keeps the time limit."""
    plain = socket.create_connection((address, port), PATIENCE)
    try:
        return context.wrap_socket(plain)
    except BaseException:
        plain.close()
        raise


def _context(ca: str | None) -> ssl.SSLContext:
    """Return a client context that trusts only this CA, or whoever answers.

    The name is not checked: the question is which CA signed, and a certificate may still name an old address.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # apid is a gRPC server: without h2 it closes the connection before it says anything.
    context.set_alpn_protocols(["h2"])
    if ca is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=ca)
    return context
