"""A small cluster around the steps of the set: scripted machines, an API server that remembers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clients.kubernetes.api import Answer, Unanswered
from clients.talos.handshake import State
from steps.nodes.plan import ManagedNode
from steps.nodes.records import parse_wanted_nodes, write_managed
from tests.unit.steps.nodes.nodes_cases import ADDRESSES, machine
from tests.unit.steps.steps_job import TALOSCONFIG, Bench, members, ok, resource, stage

if TYPE_CHECKING:
    import pytest


def node_object(name: str, ready: str = "True", boot: str = "first") -> dict[str, Any]:
    """Return a Node."""
    conditions = [{"type": "Ready", "status": ready, "reason": "KubeletNotReady"}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions, "nodeInfo": {"bootID": boot}}}


class RememberingKube:
    """Nodes by name; answers in order before them: an error or a status."""

    def __init__(self, *names: str) -> None:
        self.nodes: dict[str, dict[str, Any]] = {name: node_object(name) for name in names}
        self.lists: list[Unanswered | list[dict[str, Any]]] = []
        self.first: list[Unanswered | int] = []
        self.asked: list[tuple[str, str, Any]] = []

    def ask(self, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Answer:
        name = path.rpartition("/")[2]
        self.asked.append((method, name, body))
        trouble = self.first.pop(0) if self.first else None
        if isinstance(trouble, Unanswered):
            raise trouble
        if trouble:
            return Answer(trouble, "", "")
        if name not in self.nodes:
            return Answer(404, "", "")
        if method == "DELETE":
            del self.nodes[name]
        return Answer(200, "{}", "")

    def items(self, _path: str) -> list[dict[str, Any]]:
        answer = self.lists.pop(0) if self.lists else list(self.nodes.values())
        if isinstance(answer, Unanswered):
            raise answer
        return answer

    def find(self, path: str) -> dict[str, Any] | None:
        if self.first:
            self.ask(path)
        return self.nodes.get(path.rpartition("/")[2])


def line(name: str) -> str:
    role = "controlplane" if name.startswith("cp") else "worker"
    return f"{name} {role} {ADDRESSES[name]} v1.13.0 v1.36.3 0123456789ab"


def identity(number: int) -> tuple[Any, Any]:
    """Return what a machine answers to `get systeminformation` and to `get links`."""
    found = machine(number)
    link = {"permanentAddr": found.macs[0], "hardwareAddr": found.macs[0], "kind": "", "type": "ether"}
    return resource({"uuid": found.uuid, "serialnumber": found.serial}), resource(link)


def nodes_bench(
    monkeypatch: pytest.MonkeyPatch,
    *names: str,
    last: dict[str, ManagedNode] | None = None,
    **environment: str,
) -> tuple[Bench, RememberingKube]:
    """Return a healthy cluster in which these nodes are wanted."""
    kube = RememberingKube(*ADDRESSES)
    for module in ("reconcile", "removal", "readiness"):
        monkeypatch.setattr(f"steps.nodes.{module}.open_kube", lambda _text: kube)
    configs = json.dumps(dict.fromkeys(names, "machine: {}"))
    made = Bench(
        {
            "NODES": "\n".join(line(name) for name in names),
            "APPLY_MODE": "no-reboot",
            "RESET_ON_DESTROY": "no",
            "PULUMI_COMMAND_STDOUT": write_managed(last) if last else "",
            **environment,
        },
        {"talosconfig": TALOSCONFIG, "kubeconfig": "kubeconfig", "configs": configs},
    )
    for number, (name, address) in enumerate(ADDRESSES.items(), start=1):
        made.looks.at(address, State.OURS)
        system, links = identity(number)
        made.talos.on("get systeminformation", system, node=address)
        made.talos.on("get links", links, node=address)
        made.talos.on("get etcdmember", resource({"memberID": name}), node=address)
    made.talos.on("get machinestatus", stage("running"))
    made.talos.on("apply-config", ok(stderr="Applied configuration without a reboot\n"))
    made.talos.on("etcd members", members("cp1", "cp2", "cp3"))
    for verb in ("reset", "shutdown", "etcd leave"):
        made.talos.on(verb, ok())
    return made, kube


def configured(*names: str) -> dict[str, ManagedNode]:
    """Return what a run records that left these nodes with the configuration of `nodes_bench`."""
    numbers = {name: number for number, name in enumerate(ADDRESSES, start=1)}
    lines = "\n".join(line(name) for name in names)
    found = parse_wanted_nodes(lines, json.dumps(dict.fromkeys(names, "machine: {}")))
    return {name: ManagedNode(node, machine(numbers[name])) for name, node in found.items()}
