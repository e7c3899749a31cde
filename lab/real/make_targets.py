"""What `make lab-real` and `make lab-real-down` do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import config
from lab.layout import REPOSITORY
from lab.real import host, lan_bridge, lan_client, program, site, stations, workload
from lab.real.admin import Admin
from lab.real.proof import cluster_claims as cluster_proof
from lab.real.proof import failover, traffic_policies
from lab.real.proof import lan_claims as lan_proof
from lab.real.proof.subject import Subject
from lab.real.record import Check, RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.real.real_layout import RealLayout

NODES = "LAB_REAL_NODES"
PROGRAM = "program"
"""The cgroup of the engine and what it starts."""

UP, PROVE, DESTROY = "from maintenance mode", "change and failure", "end"
"""Sections of the report."""

ANNOUNCERS = 2
"""Nodes that must be able to announce before one can be cut off."""


def say(text: str) -> None:
    """Print a line at once, so that a long step is not mistaken for a hang."""
    print(text, flush=True)


def prepare(layout: RealLayout) -> site.Site:
    """Get every part, start what does not run, and write the project directory."""
    machines = stations.parse_nodes(os.environ.get(NODES) or stations.DEFAULT)
    parts = site.provide(say)
    made = site.Site(layout, parts, machines)
    for line in made.start():
        say(f"started {line}")
    program.assemble(layout, machines, parts.tools, deviates=parts.host.deviates)
    return made


def nodes(layout: RealLayout) -> int:
    """Start the LAN, the registry and the nodes, and nothing else."""
    with site.exclusive(layout):
        prepare(layout)
    return 0


def up(layout: RealLayout) -> int:
    """Run the program from maintenance mode to an address that answers, and show it."""
    with site.exclusive(layout):
        made = prepare(layout)
        record = RunRecord(layout, say, UP)
        run(made, "up", record)
        subject = examine(made)
        workload.apply(subject.cluster, len(subject.config.workers) or 1)
        record.take(cluster_proof.checks(subject), subject)
        record.take(lan_proof.checks(subject), subject)
        record.take(verified(made), subject)
        return record.finish(subject)


def verified(made: site.Site) -> Iterator[Check]:
    """Yield the lines of `ops verify`.

    Raises:
        SiteError: nothing could be asked.
    """
    if inside(made, "verify") != 0:
        raise site.SiteError("ops verify could not look, see above")
    for row in json.loads(made.layout.run.read_text())["checks"]:
        yield Check(
            f"verify: {row['check']}", row["verdict"] != "fail", f"{row['verdict']}: {row['evidence']}"
        )


def prove(layout: RealLayout) -> int:
    """Show what a change, a cut-off node and the other traffic policy do; `up` ran before."""
    with site.exclusive(layout):
        made = prepare(layout)
        record = RunRecord(layout, say, PROVE)
        subject = examine(made)
        if len(subject.config.announcing_nodes) < ANNOUNCERS:
            say(f"not proven: failover and traffic policies need {ANNOUNCERS} announcing nodes")
            return 0
        record.take([again(made, record)], subject)
        record.take(failover.checks(subject), subject)
        prove_policies(made, subject, record)
        return record.finish(subject)


def prove_policies(made: site.Site, subject: Subject, record: RunRecord) -> None:
    """Let the program set policy Local and take it back; show which node answers in each."""
    document = program.read_stack(made.layout)
    pod_node = traffic_policies.single_pod(subject)
    record.take(traffic_policies.cluster_policy(subject, pod_node), subject)
    try:
        program.write_stack(made.layout, program.with_policy(document, "Local"))
        run(made, "up", record)
        record.take(traffic_policies.local_policy(subject, pod_node), subject)
    # Also after a failure: what is examined next expects the policy of the stack.
    finally:
        program.write_stack(made.layout, program.with_policy(document, "Cluster"))
        run(made, "up", record)


def again(made: site.Site, record: RunRecord) -> Check:
    """Run the program a second time: nothing may change."""
    changes = run(made, "up", record)["changes"]
    return Check("`pulumi up` again changes nothing", set(changes) == {"same"}, json.dumps(changes))


def run(made: site.Site, command: str, record: RunRecord) -> dict[str, Any]:
    """Run the engine inside the LAN; return its changes.

    It has a cgroup of its own, so that whatever an interrupted run left behind ends before the next.

    Raises:
        SiteError: the engine failed; its own words were streamed.
    """
    say(f"\n== pulumi {command}")
    made.groups.end(PROGRAM)
    if inside(made, command) != 0:
        raise site.SiteError(f"pulumi {command} failed, see above")
    result: dict[str, Any] = json.loads(made.layout.run.read_text())
    record.ran(command, result["seconds"])
    return result


def inside(made: site.Site, command: str) -> int:
    """Run a command of `lab.real.inside` in the LAN's namespace; return its exit status."""
    python = (sys.executable, "-m", "lab.real.inside", command, str(made.layout.state))
    joined = made.groups.joining(PROGRAM, *lan_bridge.inside(lan_bridge.LAN, *python))
    return subprocess.run(joined, cwd=REPOSITORY, check=False).returncode


def examine(made: site.Site) -> Subject:
    """Return the running lab with the credentials that the program made.

    Raises:
        SiteError: there is no cluster yet.
    """
    outputs = program.open_stack(made.layout).outputs()
    if "kubeconfig" not in outputs:
        raise site.SiteError("there is no cluster yet; `python -m lab.real up` makes one")
    document = program.read_stack(made.layout)["config"]["homelab:cluster"]
    http = made.parts.tools["lab-http"]
    first, second = (lan_client.LanClient(station, http) for station in stations.CLIENTS)
    return Subject(
        cluster=Admin(made.layout, str(outputs["kubeconfig"].value), str(outputs["talosconfig"].value)),
        nodes=made.nodes,
        machines=made.machines,
        clients=(first, second),
        config=config.parse(json.dumps(document)),
    )


def destroy(layout: RealLayout) -> int:
    """Run `pulumi destroy` as configured."""
    with site.exclusive(layout):
        run(prepare(layout), "destroy", RunRecord(layout, say, DESTROY))
    return 0


def down(layout: RealLayout) -> int:
    """End every process of the lab and remove its namespaces, cgroups and state."""
    machine = host.inspect()
    began = time.monotonic()
    with site.exclusive(layout):
        found = site.clear(layout, machine)
    say(f"lab-real ended in {time.monotonic() - began:.1f} s: {'; '.join(found) or 'there was nothing'}")
    return 0
