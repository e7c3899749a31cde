"""The command line of talosctl: input to argv, and nothing secret in it."""

from __future__ import annotations

import pytest

from clients.talos import talosctl
from clients.talos.talosctl import Access, DataArg, Invocation, MachineConfig

ACCESS = Access("cp1", "10.0.50.11", "TALOSCONFIG")
AUTHENTICATED = (DataArg("--talosconfig=", "talosconfig"), "--endpoints=10.0.50.11", "--nodes=10.0.50.11")
CONFIG = MachineConfig(
    cluster="--help",
    endpoint="https://10.0.50.10:6443",
    role="controlplane",
    talos_version="v1.13.0",
    kubernetes_version="v1.36.3",
    install_image="factory.talos.dev/metal-installer/abc:v1.13.0",
    patches=("first", "second"),
    secrets="SECRETS",
)
TABLE: list[tuple[Invocation, tuple[str | DataArg, ...], dict[str, str]]] = [
    (
        talosctl.etcd_leave(ACCESS),
        ("etcd", *AUTHENTICATED, "leave"),
        {"talosconfig": "TALOSCONFIG"},
    ),
    (
        talosctl.shutdown(ACCESS),
        ("shutdown", *AUTHENTICATED, "--wait=false"),
        {"talosconfig": "TALOSCONFIG"},
    ),
    (talosctl.client_version(), ("version", "--client", "--short"), {}),
    (
        talosctl.gen_secrets("v1.13.0"),
        ("gen", "secrets", "--talos-version=v1.13.0", "--output-file=-"),
        {},
    ),
    (
        talosctl.gen_talosconfig("lab", "https://10.0.50.10:6443", "v1.13.0", "SECRETS"),
        (
            "gen",
            "config",
            DataArg("--with-secrets=", "secrets"),
            "--output-types=talosconfig",
            "--output=-",
            "--talos-version=v1.13.0",
            "--with-docs=false",
            "--with-examples=false",
            "--",
            "lab",
            "https://10.0.50.10:6443",
        ),
        {"secrets": "SECRETS"},
    ),
    (
        talosctl.gen_machine_config(CONFIG),
        (
            "gen",
            "config",
            DataArg("--with-secrets=", "secrets"),
            "--output-types=controlplane",
            "--output=-",
            "--talos-version=v1.13.0",
            "--with-docs=false",
            "--with-examples=false",
            "--kubernetes-version=v1.36.3",
            "--install-image=factory.talos.dev/metal-installer/abc:v1.13.0",
            "--install-disk=",
            DataArg("--config-patch-control-plane=@", "patch0"),
            DataArg("--config-patch-control-plane=@", "patch1"),
            "--",
            "--help",
            "https://10.0.50.10:6443",
        ),
        {"secrets": "SECRETS", "patch0": "first", "patch1": "second"},
    ),
    (
        talosctl.validate("CONFIG"),
        ("validate", DataArg("--config=", "machineConfig"), "--mode=metal", "--strict"),
        {"machineConfig": "CONFIG"},
    ),
    (
        talosctl.get_in_maintenance("10.0.50.111", "links"),
        ("get", "--nodes=10.0.50.111", "--insecure", "--output=json", "links"),
        {},
    ),
    (
        talosctl.apply_in_maintenance("10.0.50.111", "CONFIG", "a+b="),
        (
            "apply-config",
            "--nodes=10.0.50.111",
            "--insecure",
            "--cert-fingerprint=a+b=",
            DataArg("--file=", "machineConfig"),
        ),
        {"machineConfig": "CONFIG"},
    ),
    (
        talosctl.apply_in_maintenance("10.0.50.111", "CONFIG"),
        ("apply-config", "--nodes=10.0.50.111", "--insecure", DataArg("--file=", "machineConfig")),
        {"machineConfig": "CONFIG"},
    ),
    (
        talosctl.apply(ACCESS, "CONFIG", "no-reboot"),
        ("apply-config", *AUTHENTICATED, "--mode=no-reboot", DataArg("--file=", "machineConfig")),
        {"talosconfig": "TALOSCONFIG", "machineConfig": "CONFIG"},
    ),
    (
        talosctl.get(ACCESS, "services", "etcd"),
        ("get", *AUTHENTICATED, "--output=json", "services", "etcd"),
        {"talosconfig": "TALOSCONFIG"},
    ),
    (
        talosctl.list_directory(ACCESS, "/var/lib/etcd"),
        ("list", *AUTHENTICATED, "/var/lib/etcd"),
        {"talosconfig": "TALOSCONFIG"},
    ),
    (talosctl.etcd_members(ACCESS), ("etcd", *AUTHENTICATED, "members"), {"talosconfig": "TALOSCONFIG"}),
    (talosctl.bootstrap(ACCESS), ("bootstrap", *AUTHENTICATED), {"talosconfig": "TALOSCONFIG"}),
    (
        talosctl.kubeconfig(ACCESS),
        ("kubeconfig", *AUTHENTICATED, "--merge=false", "-"),
        {"talosconfig": "TALOSCONFIG"},
    ),
    (
        talosctl.health(ACCESS, ["10.0.50.11", "10.0.50.12"], ["10.0.50.21"], 90),
        (
            "health",
            *AUTHENTICATED,
            "--control-plane-nodes=10.0.50.11,10.0.50.12",
            "--worker-nodes=10.0.50.21",
            "--wait-timeout=90s",
        ),
        {"talosconfig": "TALOSCONFIG"},
    ),
    (
        talosctl.reset(ACCESS, graceful=True),
        (
            "reset",
            *AUTHENTICATED,
            "--graceful=true",
            "--system-labels-to-wipe=STATE,EPHEMERAL",
            "--reboot",
            "--wait=false",
        ),
        {"talosconfig": "TALOSCONFIG"},
    ),
]


@pytest.mark.parametrize(("invocation", "argv", "secrets"), TABLE, ids=lambda value: str(value)[:40])
def test_argv(invocation: Invocation, argv: tuple[str | DataArg, ...], secrets: dict[str, str]) -> None:
    assert invocation.argv == argv
    assert invocation.secrets == secrets


@pytest.mark.parametrize("invocation", [row[0] for row in TABLE], ids=lambda row: row.description)
def test_every_data_argument_has_its_data_and_no_data_shows(invocation: Invocation) -> None:
    named = {word.name for word in invocation.argv if isinstance(word, DataArg)}
    assert named == set(invocation.secrets)
    shown = repr(invocation)
    assert not any(content in shown for content in invocation.secrets.values())
    assert invocation.limit > 0


def test_a_worker_is_patched_by_the_flag_of_workers() -> None:
    worker = MachineConfig(
        cluster="lab",
        endpoint="https://e:6443",
        role="worker",
        talos_version="v1.13.0",
        kubernetes_version="v1.36.3",
        install_image="image",
        patches=("only",),
        secrets="SECRETS",
    )
    argv = talosctl.gen_machine_config(worker).argv
    assert DataArg("--config-patch-worker=@", "patch0") in argv
    assert "--output-types=worker" in argv


def test_an_ungraceful_reset_says_so() -> None:
    assert "--graceful=false" in talosctl.reset(ACCESS, graceful=False).argv


def test_access_and_config_do_not_show_their_secrets() -> None:
    assert "TALOSCONFIG" not in repr(ACCESS)
    assert "SECRETS" not in repr(CONFIG)
