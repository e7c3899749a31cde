"""What the lab adds to the verdict of `ops verify`, and how it ends where that cannot be given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab import __main__ as lab_command
from lab import report
from lab.layout import Layout
from ops.sources import CannotCheckError
from ops.table import Row, failed, passed

if TYPE_CHECKING:
    from pathlib import Path

REQUESTED = ["10.0.50.200"]
CHECK = "requested addresses kept free"


class Kubectl(report.Client):
    """A client whose Service has the addresses of `kubeconfig`; without one, the wait for it fails."""

    def run(self, tool: str, *arguments: str, stdin: str | None = None) -> str:
        if "wait" in arguments and not self.kubeconfig:
            raise report.ClientError("kubectl wait: timed out")
        return stdin or tool

    def get(self, *_arguments: str) -> Any:  # noqa: ANN401 - Kubernetes JSON
        return {"status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in self.kubeconfig.split()]}}}


@pytest.mark.parametrize(
    ("client", "row"),
    [
        (
            Kubectl(Layout(), "10.0.50.201"),
            passed(CHECK, "lab-demo/whoami requests no address and got 10.0.50.201"),
        ),
        (
            Kubectl(Layout(), "10.0.50.200"),
            failed(CHECK, "lab-demo/whoami got 10.0.50.200", "a requested address has its own pool"),
        ),
        (
            Kubectl(Layout(), ""),
            failed(CHECK, "lab-demo/whoami got no address", "a requested address has its own pool"),
        ),
    ],
    ids=["another", "the requested one", "none"],
)
def test_a_service_that_requests_no_address(client: report.Client, row: Row) -> None:
    assert report.other_service(client, REQUESTED) == row


def test_a_failed_command_names_the_tool_and_its_words(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.tools.mkdir(parents=True)
    kubectl = layout.tools / "kubectl"
    kubectl.write_text("#!/bin/sh\necho refused >&2\nexit 1\n")
    kubectl.chmod(0o700)
    with pytest.raises(report.ClientError, match=r"^kubectl get nodes --output=json: refused$"):
        report.Client(layout, "").get("nodes")


@pytest.mark.parametrize("error", [CannotCheckError("no answer"), report.ClientError("no answer")])
def test_a_lab_that_cannot_be_looked_at_says_why(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def up(_: Layout) -> int:
        raise error

    monkeypatch.setitem(lab_command.COMMANDS, "up", up)
    assert lab_command.main(["up"]) == 1
    assert capsys.readouterr().err == "lab: the cluster cannot be checked: no answer\n"
