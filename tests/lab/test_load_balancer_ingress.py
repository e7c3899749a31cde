"""Another ingress controller takes the address over, in the two steps of docs/ingress.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from lab import report
from tests.lab.test_load_balancer import ask, client, config, pools, refused

if TYPE_CHECKING:
    from tests.lab.conftest import Run

__all__ = ["client"]  # a fixture

pytestmark = pytest.mark.lab
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Values.fullnameOverride }}-controller
  annotations: {{ .Values.controller.service.annotations | toJson }}
spec:
  type: LoadBalancer
  externalTrafficPolicy: {{ .Values.controller.service.externalTrafficPolicy }}
  selector: {app: {{ .Release.Name }}}
  ports: [{name: http, port: 80}]
"""


@pytest.fixture(scope="module")
def chart(lab: Run) -> str:
    """A chart whose Service has the shape of the real one's, in the lab's project; its path there."""
    path = lab.layout.project / "charts" / "ingress-nginx"
    (path / "templates").mkdir(parents=True)
    (path / "Chart.yaml").write_text(
        yaml.safe_dump({"apiVersion": "v2", "name": "ingress-nginx", "version": "4.14.2"})
    )
    (path / "templates" / "service.yaml").write_text(SERVICE)
    return "charts/ingress-nginx"


def retire(lab: Run) -> None:
    """Step one: no controller; the acknowledgement code allows that the address leaves its Service."""
    with config(lab, ingress__controller="none"):
        found = re.search(r"acknowledge: '([0-9a-f]{8})'", refused(lab))
        assert found is not None
    with config(lab, ingress__controller="none", loadBalancer__acknowledge=found[1]):
        lab.up()


def test_the_controller_is_changed_in_two_steps(lab: Run, client: report.Client, chart: str) -> None:
    """Between them the address is nobody's, so two controllers never fight for it."""
    assert report.address(client, *report.INGRESS) == "10.0.50.200"
    retire(lab)
    assert "ingress-nginx-controller.ingress-nginx" not in pools(client)
    assert pools(client)["homelab"][0] == ["10.0.50.200-10.0.50.207"]
    assert "ingress-nginx" not in [
        item["metadata"]["namespace"] for item in client.get("services", "--all-namespaces")["items"]
    ]
    with config(lab, ingress__controller="nginx", ingress__chart={"path": chart}):
        lab.up()
        status, said = ask(lab, client, "/".join(report.INGRESS), "10.0.50.200", 5)
        assert (status, "holds 10.0.50.200" in said) == (0, True)
        assert "upstream archived Ingress Nginx in March 2026" in "".join(lab.output)
        assert pools(client)["homelab"] == (["10.0.50.201-10.0.50.207"], "False")
    retire(lab)
    lab.up()
    assert report.address(client, *report.INGRESS) == "10.0.50.200"
    assert report.address(client, *report.OTHER) == "10.0.50.201"


def test_a_renamed_service_takes_the_address_with_it(lab: Run, client: report.Client) -> None:
    """The old Service and its pool go before the new ones come."""
    with config(lab, ingress__name="front"):
        said = refused(lab)
        line = (
            "/".join(report.INGRESS) + " would lose 10.0.50.200: it will be reserved for ingress-nginx/front"
        )
        assert line in said
        found = re.search(r"acknowledge: '([0-9a-f]{8})'", said)
        assert found is not None
    with config(lab, ingress__name="front", loadBalancer__acknowledge=found[1]):
        lab.up()
        assert report.address(client, "ingress-nginx", "front") == "10.0.50.200"
    with config(lab):
        found = re.search(r"acknowledge: '([0-9a-f]{8})'", refused(lab))
        assert found is not None
    with config(lab, loadBalancer__acknowledge=found[1]):
        lab.up()
    assert report.address(client, *report.INGRESS) == "10.0.50.200"
    lab.up()
    assert set(lab.changes(lab.up())) == {"same"}
