"""Bringing a node to its configuration: every look and every branch, without a node."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from clients.talos.handshake import Sight, State
from clients.talos.process import Result
from steps.apply import ApplyDecision, ApplyMove, apply, decide
from tests.unit.steps.steps_job import MAINTENANCE_REFUSED, UNAVAILABLE, Bench, failed, ok, stage

OWN, DHCP = "10.0.50.11", "10.0.50.111"
ENVIRONMENT = {
    "CLUSTER_NAME": "lab",
    "NODE": "cp1",
    "ADDRESS": OWN,
    "MAINTENANCE_ADDRESS": DHCP,
    "APPLY_MODE": "no-reboot",
    "REACHABLE_TIMEOUT": "60",
}
SILENT, MAINTENANCE, OURS = State.SILENT, State.MAINTENANCE, State.OURS
FOREIGN, CLOCK, STRANGER = State.FOREIGN, State.CLOCK, State.STRANGER


def bench(**changes: str) -> Bench:
    made = Bench({**ENVIRONMENT, **changes})
    made.talos.on("get machinestatus", stage("booting"))
    made.talos.on("apply-config insecure", ok(stderr="Applied configuration without a reboot\n"))
    made.talos.on("apply-config", ok(stderr="Applied configuration without a reboot\n"))
    return made


@pytest.mark.parametrize(
    ("own", "maintenance", "move", "address"),
    [
        (SILENT, SILENT, ApplyMove.WAIT, ""),
        (SILENT, MAINTENANCE, ApplyMove.INSTALL, DHCP),
        (MAINTENANCE, SILENT, ApplyMove.INSTALL, OWN),
        (MAINTENANCE, MAINTENANCE, ApplyMove.INSTALL, DHCP),
        (OURS, SILENT, ApplyMove.CHANGE, OWN),
        (OURS, MAINTENANCE, ApplyMove.CHANGE, OWN),
        (OURS, FOREIGN, ApplyMove.CHANGE, OWN),
        (SILENT, OURS, ApplyMove.WAIT, ""),
        (FOREIGN, SILENT, ApplyMove.REFUSE, ""),
        (FOREIGN, MAINTENANCE, ApplyMove.REFUSE, ""),
        (SILENT, FOREIGN, ApplyMove.REFUSE, ""),
        (CLOCK, SILENT, ApplyMove.WAIT, ""),
        (CLOCK, MAINTENANCE, ApplyMove.WAIT, ""),
        (STRANGER, SILENT, ApplyMove.WAIT, ""),
        (STRANGER, MAINTENANCE, ApplyMove.INSTALL, DHCP),
    ],
)
def test_decision(own: State, maintenance: State, move: ApplyMove, address: str) -> None:
    decision = decide(Sight(OWN, own), Sight(DHCP, maintenance))
    assert (decision.move, decision.address) == (move, address)


def test_two_machines_in_maintenance_mode_are_told_apart() -> None:
    decision = decide(Sight(OWN, MAINTENANCE, identity="a"), Sight(DHCP, MAINTENANCE, identity="b"))
    assert decision == ApplyDecision(
        ApplyMove.REFUSE,
        message=f"two machines are in maintenance mode, at {OWN} and at {DHCP}: "
        "only one of them can be this node",
    )


def test_one_address_is_named_once() -> None:
    sight = Sight(OWN, SILENT, "timed out")
    assert decide(sight, sight).message == f"{OWN} does not answer (timed out)"


def test_a_fresh_machine_is_installed_at_its_maintenance_address() -> None:
    made = bench()
    made.looks.at(DHCP, SILENT, MAINTENANCE, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, SILENT, SILENT, SILENT, OURS)
    made.talos.on("get machinestatus", failed(UNAVAILABLE), stage("installing"), stage("booting"))
    assert apply(made.job) == "cp1 configured"
    verbs = [(call.verb, call.node) for call in made.talos.calls]
    assert verbs == [("apply-config insecure", DHCP), *[("get machinestatus", OWN)] * 3]
    assert "cp1 accepted its configuration at 10.0.50.111" in made.said
    assert "10.0.50.111 is still in maintenance mode" in made.text
    assert "last answer" not in made.text
    assert "cp1 is installing" in made.text


def test_a_node_with_one_address_is_looked_at_once() -> None:
    made = bench(MAINTENANCE_ADDRESS=OWN)
    made.looks.at(OWN, MAINTENANCE, SILENT, OURS)
    assert apply(made.job) == "cp1 configured"
    assert made.talos.calls[0].node == OWN
    assert set(made.looks.looked) == {OWN}


def test_a_node_of_ours_is_left_as_it_is() -> None:
    """A change of it is the business of the set of nodes."""
    made = bench()
    made.looks.at(OWN, OURS)
    made.looks.at(DHCP, MAINTENANCE)
    assert apply(made.job) == "cp1 configured"
    assert made.looks.looked == [OWN]
    assert [call.verb for call in made.talos.calls] == ["get machinestatus"]


@pytest.mark.parametrize("address", [OWN, DHCP])
def test_a_node_of_another_cluster_is_not_touched(address: str) -> None:
    made = bench()
    made.looks.at(address, FOREIGN)
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        f"cp1: {address} is a node of another cluster: it is not touched\n"
        "check: the addresses in the stack's configuration; "
        "a node that changes clusters is reset by hand first"
    )
    assert made.talos.calls == []


def test_a_machine_that_never_answers() -> None:
    made = bench()
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        "gave up waiting for cp1 to answer after 60 s; last answer: "
        f"{OWN} does not answer (connection refused); {DHCP} does not answer (connection refused)\n"
        "check: the node's power, console and cabling, and that its addresses are right: "
        f"{OWN}, in maintenance mode {DHCP}, port 50000"
    )


@pytest.mark.parametrize(
    "answer",
    [failed(UNAVAILABLE), failed(MAINTENANCE_REFUSED), Result(None, "", "")],
    ids=["cut", "taken", "hung"],
)
def test_an_unclear_answer_to_the_first_configuration_leads_to_another_look(answer: Result) -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, SILENT, OURS)
    made.talos.on("apply-config insecure", answer)
    assert apply(made.job) == "cp1 configured"
    assert [call.verb for call in made.talos.calls] == ["apply-config insecure", "get machinestatus"]


def test_a_refused_first_configuration() -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE)
    made.talos.on(
        "apply-config insecure",
        failed("error applying new configuration: rpc error: code = InvalidArgument desc = no such disk"),
    )
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        "cp1 refuses its configuration: error applying new configuration: InvalidArgument: no such disk"
    )


def test_a_machine_that_rebooted_before_it_kept_the_configuration_gets_it_again() -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT, MAINTENANCE, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, SILENT, SILENT, SILENT, SILENT, OURS)
    made.talos.on("apply-config insecure", ok(), failed(UNAVAILABLE), ok())
    assert apply(made.job) == "cp1 configured"
    assert made.talos.count("apply-config insecure") == 3
    assert "10.0.50.111 was in maintenance mode again" in made.text


def test_a_machine_that_comes_back_as_somebody_else() -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, FOREIGN)
    with pytest.raises(
        OperationError, match=r"cp1: 10.0.50.11 is a node of another cluster: it is not touched"
    ):
        apply(made.job)


def test_a_machine_that_does_not_come_back() -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert "gave up waiting for cp1 to install, reboot and answer as configured after 600 s" in str(
        caught.value
    )


def test_a_worker_that_does_not_come_back_may_lack_a_control_plane() -> None:
    made = bench(NODE="w1", ADDRESS="10.0.50.21")
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert "check: that a control plane is bootstrapped and answers the worker on port 50001; " in str(
        caught.value
    )


def test_a_node_that_does_not_accept_our_credentials() -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, OURS)
    made.talos.on("get machinestatus", failed("rpc error: code = PermissionDenied desc = not authorized"))
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        "cp1 does not answer to our credentials: PermissionDenied: not authorized\n"
        "check: `talosctl -n 10.0.50.11 dmesg` or the console of cp1"
    )


def test_a_node_without_a_status_yet() -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, OURS)
    made.talos.on("get machinestatus", ok(""), stage("running"))
    assert apply(made.job) == "cp1 configured"
    assert "cp1 has no status yet" in made.text


def test_a_node_that_has_not_rebooted_yet_is_not_asked_at_once() -> None:
    """Right after the configuration it is only installing."""
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, OURS, SILENT, OURS)
    assert apply(made.job) == "cp1 configured"
    assert made.talos.count("get machinestatus") == 1
    assert "cp1 answers with its configuration" in made.text


def test_a_node_that_installs_for_long_is_looked_at_often_and_asked_rarely() -> None:
    made = bench()
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, *[OURS] * 40, SILENT, OURS)
    made.talos.on("get machinestatus", *[stage("installing")] * 10, stage("booting"))
    assert apply(made.job) == "cp1 configured"
    assert len(made.looks.looked) > 40
    assert made.talos.count("get machinestatus") <= 12
    assert "cp1 is installing" in made.text
