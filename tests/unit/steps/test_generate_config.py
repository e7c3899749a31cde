"""Steps that generate, with a scripted talosctl, and what every step reads from its environment."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from steps.generate_config import machine_config, secrets_bundle, talosconfig
from tests.unit.steps.steps_job import Bench, failed, ok

ENVIRONMENT = {
    "CLUSTER_NAME": "lab",
    "ENDPOINT": "https://10.0.50.10:6443",
    "ROLE": "worker",
    "TALOS_VERSION": "v1.13.0",
    "KUBERNETES_VERSION": "v1.36.3",
    "INSTALL_IMAGE": "image",
    "NODE": "w1",
    "PATCH": "program",
    "CONTROL_PLANES": "cp1=10.0.50.11 cp2=10.0.50.12",
}
GENERATED = "context: lab\ncontexts:\n    lab:\n        endpoints: []\n        ca: QUJD\n"

OTHER_MINOR = (
    "talosctl on PATH is of Talos 1.12, but the cluster runs v1.13.0\n"
    "check: install talosctl v1.13.0: another minor version generates another configuration"
)


def bench(**changes: str) -> Bench:
    made = Bench({**ENVIRONMENT, **changes})
    made.talos.on("version", ok("Client:\nTalos v1.13.2\n"))
    return made


def test_secrets() -> None:
    made = bench()
    made.talos.on("gen secrets", ok("cluster: {}\n"))
    assert secrets_bundle(made.job) == "cluster: {}\n"


def test_talosconfig_gets_the_control_planes() -> None:
    made = bench()
    made.talos.on("gen config", ok(GENERATED))
    assert "- 10.0.50.12\n" in talosconfig(made.job)
    assert made.talos.calls[-1].invocation.secrets == {"secrets": "cluster: {}"}


def test_machine_config_is_one_generation_and_one_validation() -> None:
    made = bench(PATCH_1="all", PATCH_2="role", PATCH_3="node")
    made.talos.on("gen config", ok("machine: {}\n"))
    made.talos.on("validate", ok("/dev/fd/3 is valid for metal mode\n"))
    assert machine_config(made.job) == "machine: {}\n"
    assert [call.verb for call in made.talos.calls] == ["version", "gen config", "validate"]
    patches = made.talos.calls[1].invocation.secrets
    assert [patches[f"patch{n}"] for n in range(4)] == ["program", "all", "role", "node"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ROLE": "boss"}, "ROLE must be controlplane or worker, not 'boss'"),
        ({"NODE": ""}, "NODE is not set in the environment of this step"),
        (
            {"PATCH_2": "x"},
            r"variables must be numbered PATCH_1, PATCH_2, … without a gap, not \['PATCH_2'\]",
        ),
        ({"TALOS_VERSION": "latest"}, "TALOS_VERSION must look like v1.13.0, not 'latest'"),
    ],
)
def test_bad_environment(changes: dict[str, str], message: str) -> None:
    with pytest.raises(OperationError, match=message):
        machine_config(bench(**changes).job)


def test_missing_secret() -> None:
    made = bench()
    made.secrets = {}
    with pytest.raises(OperationError, match="the JSON object on stdin has no 'secrets'"):
        machine_config(made.job)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (ok("Client:\nTalos v1.12.4\n"), OTHER_MINOR),
        (ok("nonsense"), "could not ask talosctl for its version: exit status 0 without any output"),
        (failed("exec format error"), "could not ask talosctl for its version: exec format error"),
    ],
)
def test_the_client_s_version(answer: object, message: str) -> None:
    made = bench()
    made.talos.answers["version", "*"] = [answer]  # type: ignore[list-item]
    with pytest.raises(OperationError) as caught:
        secrets_bundle(made.job)
    assert str(caught.value) == message


def test_a_failed_generation() -> None:
    made = bench()
    made.talos.on("gen config", failed("generating PKI and tokens\nunknown keys found during decoding"))
    with pytest.raises(OperationError) as caught:
        machine_config(made.job)
    assert str(caught.value) == (
        "could not generate the machine config: unknown keys found during decoding\n"
        "check: the patches of w1 and of its role in the stack's configuration"
    )


def test_an_empty_generation() -> None:
    made = bench()
    made.talos.on("gen secrets", ok("\n"))
    with pytest.raises(
        OperationError, match="could not generate the cluster's secrets: talosctl printed nothing"
    ):
        secrets_bundle(made.job)


def test_a_refused_config_names_the_node() -> None:
    made = bench()
    made.talos.on("gen config", ok("machine: {}\n"))
    made.talos.on("validate", failed("1 error occurred:\n\t* install disk is required\n"))
    with pytest.raises(OperationError) as caught:
        machine_config(made.job)
    assert str(caught.value) == (
        "Talos refuses the machine config of w1: 1 error occurred: * install disk is required\n"
        "check: the patches of w1 and of its role in the stack's configuration"
    )


def test_time_runs_out_and_stays_out() -> None:
    made = bench()
    job = made.job
    assert job.remaining() == 600.0
    made.clock.sleep(700)
    assert job.remaining() == 0.0
