"""The machine that the real lab needs, and one life of the lab for all tests of this directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import config
from lab import inventory as simulated
from lab import simulator
from lab.layout import REPOSITORY, Layout
from lab.parts_table import SIMULATOR_RUNS
from lab.real import host, lan_bridge, program, stations
from lab.real.real_layout import RealLayout
from lab.tools import ensure
from tests.real import calls
from tests.real.contract import Observation, Target

SUBNET = "77"
NODES = "1+1"
CUT_AT = "homelab-bootstrap created"
"""The line of the engine at which the first run is killed."""


@pytest.fixture(scope="session")
def machine() -> host.Host:
    """The machine, if the real lab can run on it."""
    try:
        return host.inspect()
    except host.Unsuitable as reasons:
        pytest.skip(f"the real lab cannot run on this machine: {reasons}")


def lab_real(*arguments: str, nodes: str = stations.DEFAULT) -> subprocess.CompletedProcess[str]:
    """Run a command of the real lab; its output is shown where a test fails."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.real", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"LAB_REAL_NODES": nodes},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    return done


def leftovers(found: host.Host) -> list[str]:
    """Return what there is of the lab on the machine: namespaces, cgroups, state, mounts, processes."""
    layout = RealLayout()
    mounts = Path("/proc/self/mounts").read_text()
    paths = [found.cgroup2 / "talos-lab", layout.state]
    if found.memory1 is not None:
        paths.append(found.memory1 / "talos-lab")
    return [
        *lan_bridge.existing(),
        *(str(path) for path in paths if path.exists()),
        *(line for line in mounts.splitlines() if str(layout.state) in line or "talos-lab-" in line),
        *(line for line in processes() if str(layout.state) in line or "lab.real.registry" in line),
    ]


def processes() -> list[str]:
    """Return the command lines of all processes."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return lines


@dataclass
class Life:
    """One life of the real lab: what it said, what it reported, what was left of it.

    Attributes:
        codes: Exit code of each command.
        report: The report's sections.
        left: What was there after its end.
    """

    codes: dict[str, int] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def life(machine: host.Host) -> Life:
    """Kill a first run, let a second one converge, prove everything, destroy, end."""
    lived = Life()
    assert lab_real("down").returncode == 0
    try:
        lived.codes["killed"] = killed_run()
        for command in ("up", "prove", "destroy"):
            lived.codes[command] = lab_real(command).returncode
            assert lived.codes[command] == 0, f"lab.real {command} failed, see its output"
        lived.report = json.loads(RealLayout().evidence.read_text())
    finally:
        lived.codes["down"] = lab_real("down").returncode
    lived.left = leftovers(machine)
    return lived


def killed_run() -> int:
    """Start a run, kill it without warning in the middle of the program, and return its exit code."""
    run = subprocess.Popen(
        [sys.executable, "-m", "lab.real", "up"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    for line in run.stdout:
        if CUT_AT in line:
            break
    os.killpg(run.pid, signal.SIGKILL)
    run.stdout.close()
    return run.wait()


@pytest.fixture(scope="session")
def seen_on_simulator(machine: host.Host) -> dict[str, Observation]:
    """What the contract's calls get from simulated nodes."""
    nodes = simulated.parse_nodes(NODES, SUBNET)
    tools = ensure(["talosctl", "talos-sim", *SIMULATOR_RUNS.values()])
    base = yaml.safe_load((REPOSITORY / "Pulumi.lab.yaml").read_text())
    document = simulated.stack_document(base, nodes)
    # The real nodes reach no discovery service: both find control planes at the endpoint only.
    patches = {"all": [{"cluster": {"discovery": {"enabled": False}}}]}
    document["config"]["homelab:cluster"]["talos"]["patches"] = patches
    binaries = {name: str(tools[tool]) for name, tool in SIMULATOR_RUNS.items()}
    with tempfile.TemporaryDirectory(prefix="contract-") as scratch:
        layout = Layout(Path(scratch) / "lab")
        layout.prepare()
        durations = dict.fromkeys(("boot", "install", "reboot"), "1s")
        description = simulated.simulator_document(nodes, str(layout.nodes), binaries, durations)
        simulator.start(layout, tools["talos-sim"], description, simulated.listening(nodes))
        try:
            return calls.play(target("simulator", tools["talosctl"], (), document)).seen
        finally:
            simulator.stop(layout)


@pytest.fixture(scope="session")
def seen_on_real_nodes(machine: host.Host) -> dict[str, Observation]:
    """What the same calls get from real Talos nodes."""
    talosctl = ensure(["talosctl"])["talosctl"]
    base = yaml.safe_load((REPOSITORY / "Pulumi.lab-real.yaml").read_text())
    nodes = stations.parse_nodes(NODES)
    document = program.stack_document(base, nodes, deviates=machine.deviates)
    assert lab_real("down").returncode == 0
    try:
        assert lab_real("nodes", nodes=NODES).returncode == 0
        reach = tuple(lan_bridge.inside(lan_bridge.LAN))
        return calls.play(target("real nodes", talosctl, reach, document)).seen
    finally:
        lab_real("down")


def target(name: str, talosctl: Path, prefix: tuple[str, ...], document: dict[str, Any]) -> Target:
    """Return nodes to talk to."""
    return Target(name, talosctl, prefix, config.parse(json.dumps(document["config"]["homelab:cluster"])))
