"""A Kubernetes client that tries again where the API server asks for it."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

from steps.kube import Kube, open_kube

if TYPE_CHECKING:
    from steps.kube import Answer

TRIES = 10  # as often as client-go
PAUSE = 1.0  # seconds; the server's own Retry-After is 1 while a kind's cache starts


class PatientKube(Kube):
    """Asks again after 429: the server is loaded, or the cache of a kind is being filled."""

    def ask(self, path: str, method: str = "GET") -> Answer:
        """Return the first answer that is not 429, or the last one."""
        answer = super().ask(path, method)
        for _attempt in range(TRIES):
            if answer.status != http.client.TOO_MANY_REQUESTS:
                break
            time.sleep(PAUSE)
            answer = super().ask(path, method)
        return answer


def open_patient(text: str) -> PatientKube:
    """Return the API server that a kubeconfig describes.

    Raises:
        StepError: the kubeconfig cannot be used.
    """
    kube = open_kube(text)
    return PatientKube(kube.host, kube.port, kube.context, kube.headers)
