"""A small client of the Kubernetes API: it reads, and deletes where a step is meant to."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clients.errors import OperationError
from clients.kubernetes.connection import parse_kubeconfig
from clients.talos.process import anonymous_file

if TYPE_CHECKING:
    from clients.kubernetes.connection import Kubeconfig

Object = dict[str, Any]

PATIENCE = 10.0  # seconds for connecting and for each answer
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


class Unanswered(Exception):  # noqa: N818 - no error of ours: the API server has not answered as wished
    """The API server could not be asked, or said no; the text is for people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        date: the server's own time, as HTTP writes it, or empty.
    """

    status: int
    body: str
    date: str


@dataclass(frozen=True, slots=True)
class Kube:
    """The API server of one cluster."""

    host: str
    port: int
    context: ssl.SSLContext
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def get(self, path: str) -> Object:
        """Return the object at an API path.

        Raises:
            Unanswered: any answer but 200, or none.
        """
        found = self.find(path)
        if found is None:
            raise Unanswered(f"{path} does not exist (404)")
        return found

    def find(self, path: str) -> Object | None:
        """Return the object at an API path, or None where there is none.

        Raises:
            Unanswered: any answer but 200 and 404, or none.
        """
        return self.decode(self.ask(path), path)

    def decode(self, answer: Answer, path: str) -> Object | None:
        """Return the object of an answer; see `find`.

        Raises:
            Unanswered: the API server refuses, or its answer is no JSON object.
        """
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != http.client.OK:
            raise Unanswered(explain(answer, path))
        value = _json(answer.body, path)
        if not isinstance(value, dict):
            raise Unanswered(f"{path} answered something that is no object")
        return value

    def items(self, path: str) -> list[Object]:
        """Return the objects of a list."""
        found: list[Object] = self.get(path).get("items") or []
        return found

    def ask(self, path: str, method: str = "GET", body: Object | None = None) -> Answer:
        """Return the answer to one request over a connection of its own.

        Args:
            path: API path.
            method: of HTTP.
            body: JSON data; with PATCH it is merged into the object.

        Raises:
            Unanswered: no answer.
        """
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=self.context)
        try:
            headers = {"Accept": "application/json", **_content(method, body), **self.headers}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            return Answer(response.status, text, response.getheader("Date") or "")
        except ssl.SSLCertVerificationError as error:
            reason = f"shows a certificate that the kubeconfig does not trust: {error.verify_message}"
            raise Unanswered(f"{self.host}:{self.port} {reason}") from None
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"{self.host}:{self.port} does not answer: {_reason(error)}") from None
        finally:
            connection.close()


def _content(method: str, body: Object | None) -> dict[str, str]:
    """Return the header that says what the body of a request is."""
    if body is None:
        return {}
    return {"Content-Type": f"application/{'merge-patch+json' if method == 'PATCH' else 'json'}"}


def open_kube(text: str) -> Kube:
    """Return the API server that a kubeconfig describes.

    Raises:
        OperationError: the kubeconfig cannot be used.
    """
    config = parse_kubeconfig(text)
    host, port = server_address(config.server)
    headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
    return Kube(host, port, _context(config), headers)


def server_address(server: str) -> tuple[str, int]:
    """Return host and port of an API server's URL.

    Raises:
        OperationError: it is no such URL.
    """
    url = urlsplit(server)
    try:
        port = url.port or 443
    except ValueError:
        port = 0
    if url.scheme != "https" or not url.hostname or url.path not in {"", "/"} or not port:
        raise OperationError(f"an API server's URL must be like https://10.0.50.10:6443, not {server!r}")
    return url.hostname, port


def _context(config: Kubeconfig) -> ssl.SSLContext:
    """Return a TLS context that trusts the cluster's CA and shows the client certificate, if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=config.ca)
        if config.certificate:
            # ssl reads certificates from files only; these have no name
            with anonymous_file(config.certificate) as certificate, anonymous_file(config.key) as key:
                context.load_cert_chain(f"/dev/fd/{certificate}", f"/dev/fd/{key}")
    except ssl.SSLError as error:
        raise OperationError(
            f"the kubeconfig's certificates cannot be used: {error.reason or error}"
        ) from None
    return context


def explain(answer: Answer, path: str) -> str:
    """Return what an answer means for a person."""
    if answer.status == _UNAUTHORIZED:
        return "the API server refuses the kubeconfig's credentials (401): expired, or of another cluster"
    if answer.status == _FORBIDDEN:
        return f"the kubeconfig's user may not read {path} (403)"
    message = answer.body.strip()
    if message.startswith("{"):
        status = _json(message, path)
        message = str(status.get("message", "")) if isinstance(status, dict) else ""
    return f"{path} answered {answer.status}{f': {message[:300]}' if message else ''}"


def _json(body: str, path: str) -> object:
    """Return the decoded body."""
    try:
        value: object = json.loads(body)
    except json.JSONDecodeError:
        raise Unanswered(f"{path} answered something that is no JSON") from None
    return value


def _reason(error: Exception) -> str:
    """Return the words of an operating system or protocol error."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def condition(item: Object, kind: str) -> Object | None:
    """Return the condition of that type out of an object's status, or None."""
    for entry in item.get("status", {}).get("conditions") or []:
        if entry.get("type") == kind:
            found: Object = entry
            return found
    return None


def is_true(item: Object, kind: str) -> bool:
    """Return whether the object's condition of that type is True."""
    found = condition(item, kind)
    return found is not None and found.get("status") == "True"


TRIES = 10  # as often as client-go


PAUSE = 1.0  # seconds; the server's own Retry-After is 1 while a kind's cache starts


class PatientKube(Kube):
    """Asks again after 429: the server is loaded, or the cache of a kind is being filled."""

    def ask(self, path: str, method: str = "GET", body: Object | None = None) -> Answer:
        """Return the first answer that is not 429, or the last one."""
        answer = super().ask(path, method, body)
        for _attempt in range(TRIES):
            if answer.status != http.client.TOO_MANY_REQUESTS:
                break
            time.sleep(PAUSE)
            answer = super().ask(path, method, body)
        return answer


def open_patient(text: str) -> PatientKube:
    """Return the API server that a kubeconfig describes.

    Raises:
        OperationError: the kubeconfig cannot be used.
    """
    kube = open_kube(text)
    return PatientKube(kube.host, kube.port, kube.context, kube.headers)
