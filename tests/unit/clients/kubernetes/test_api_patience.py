"""An API server that asks for patience gets some, but not for ever."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from clients.kubernetes import api as kubernetes_api
from clients.kubernetes.api import Unanswered
from tests.unit.ops.test_certificates import encoded
from tests.unit.steps.steps_certificates import identity
from tests.unit.steps.steps_servers import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CA = identity("cluster")
BUSY = {"message": "storage is (re)initializing"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer()
    with server.running(identity("api", CA).context(tmp_path)):
        yield server


def kube(api: ApiServer) -> kubernetes_api.PatientKube:
    return kubernetes_api.open_patient(
        f"server: https://127.0.0.1:{api.port}\n"
        f"certificate-authority-data: {encoded(CA.certificate)}\ntoken: t\n"
    )


def test_it_asks_again_until_the_server_is_ready(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("/a", BUSY, status=429)
    pauses = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            api.put("/a", {"items": []})

    monkeypatch.setattr(time, "sleep", sleep)
    assert kube(api).items("/a") == []
    assert pauses == [kubernetes_api.PAUSE] * 2


def test_it_gives_up_with_the_servers_words(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("/a", BUSY, status=429)
    monkeypatch.setattr(kubernetes_api, "PAUSE", 0)
    with pytest.raises(Unanswered, match=r"/a answered 429: storage is \(re\)initializing"):
        kube(api).items("/a")
    assert len(api.requests) == 1 + kubernetes_api.TRIES


def test_other_answers_are_taken_at_once(api: ApiServer) -> None:
    assert kube(api).find("/a") is None
    assert len(api.requests) == 1
