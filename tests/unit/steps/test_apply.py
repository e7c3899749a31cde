"""Bringing a node to its configuration: every look and every branch, without a node."""

from __future__ import annotations

import pytest

from clients.errors import OperationError
from clients.talos.handshake import Sight, State
from clients.talos.process import Result
from steps.apply import apply
from steps.birth import BirthDecision, BirthMove, decide
from tests.unit.steps.steps_job import MAINTENANCE_REFUSED, UNAVAILABLE, Bench, failed, ok, resource, stage

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
        (SILENT, SILENT, BirthMove.WAIT, ""),
        (SILENT, MAINTENANCE, BirthMove.INSTALL, DHCP),
        (MAINTENANCE, SILENT, BirthMove.INSTALL, OWN),
        (MAINTENANCE, MAINTENANCE, BirthMove.INSTALL, DHCP),
        (OURS, SILENT, BirthMove.OURS, OWN),
        (OURS, MAINTENANCE, BirthMove.OURS, OWN),
        (OURS, FOREIGN, BirthMove.OURS, OWN),
        (SILENT, OURS, BirthMove.WAIT, ""),
        (FOREIGN, SILENT, BirthMove.REFUSE, ""),
        (FOREIGN, MAINTENANCE, BirthMove.REFUSE, ""),
        (SILENT, FOREIGN, BirthMove.REFUSE, ""),
        (CLOCK, SILENT, BirthMove.WAIT, ""),
        (CLOCK, MAINTENANCE, BirthMove.WAIT, ""),
        (STRANGER, SILENT, BirthMove.WAIT, ""),
        (STRANGER, MAINTENANCE, BirthMove.INSTALL, DHCP),
    ],
)
def test_decision(own: State, maintenance: State, move: BirthMove, address: str) -> None:
    decision = decide(Sight(OWN, own), Sight(DHCP, maintenance))
    assert (decision.move, decision.address) == (move, address)


def test_two_machines_in_maintenance_mode_are_told_apart() -> None:
    decision = decide(Sight(OWN, MAINTENANCE, identity="a"), Sight(DHCP, MAINTENANCE, identity="b"))
    assert decision == BirthDecision(
        BirthMove.REFUSE,
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


def machine(*macs: str, uuid: str = "u1", serial: str = "s1") -> tuple[Result, Result]:
    """Return what a machine says about its firmware and its network cards."""
    links = [{"type": "ether", "kind": "", "permanentAddr": mac} for mac in macs]
    return resource({"uuid": uuid, "serialnumber": serial}), ok(
        "".join(resource(one).stdout for one in links)
    )


MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"


def with_machine(made: Bench, *macs: str) -> Bench:
    system, links = machine(*macs)
    made.talos.on("get systeminformation insecure", system)
    made.talos.on("get links insecure", links)
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, OURS)
    return made


def test_the_machine_with_the_network_card_of_the_node_is_installed() -> None:
    made = with_machine(bench(MAC=MAC), OTHER_MAC, MAC)
    assert apply(made.job) == "cp1 configured"
    assert made.talos.count("apply-config insecure") == 1


def test_a_machine_with_another_network_card_gets_no_keys() -> None:
    made = with_machine(bench(MAC=MAC), OTHER_MAC)
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        f"cp1: the machine at {DHCP} has no network card with the permanent address {MAC} "
        f"(UUID u1, serial number s1, MAC {OTHER_MAC})\n"
        f"check: which machine answers at {DHCP}"
    )
    assert made.talos.count("apply-config insecure") == 0


def test_a_machine_that_does_not_say_who_it_is_is_asked_again() -> None:
    made = with_machine(bench(MAC=MAC), MAC)
    made.looks.at(DHCP, MAINTENANCE, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, SILENT, OURS)
    made.talos.on("get systeminformation insecure", failed(UNAVAILABLE), machine(MAC)[0])
    assert apply(made.job) == "cp1 configured"
    assert f"{DHCP}: error executing: Unavailable" in made.text


def test_the_fingerprint_goes_with_the_first_configuration_only() -> None:
    made = bench(FINGERPRINT="abc=")
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, OURS)
    apply(made.job)
    assert "--cert-fingerprint=abc=" in made.talos.calls[0].flags


def test_another_certificate_than_that_of_the_fingerprint() -> None:
    made = bench(FINGERPRINT="abc=")
    made.looks.at(DHCP, MAINTENANCE)
    made.talos.on(
        "apply-config insecure",
        failed(
            "rpc error: code = Unavailable desc = connection error: desc = "
            '"transport: authentication handshake failed: '
            "leaf peer certificate doesn't match the provided fingerprints: [abc=]\""
        ),
    )
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        f"cp1: the machine at {DHCP} does not show the certificate of its fingerprint\n"
        "check: the last line 'server certificate issued' on the machine's console: "
        "the fingerprint changes at every boot and with every new address"
    )


def test_a_node_that_was_configured_before_is_not_installed_again() -> None:
    made = bench(PULUMI_COMMAND_STDOUT="cp1 configured")
    made.looks.at(DHCP, MAINTENANCE)
    with pytest.raises(OperationError) as caught:
        apply(made.job)
    assert str(caught.value) == (
        f"cp1 was configured before, but the machine at {DHCP} is in maintenance mode: "
        "it is another one, or it was wiped\n"
        "check: to install it again, name the node under talos.reinstall in the stack's configuration"
    )
    assert made.talos.calls == []


def test_a_node_that_may_be_installed_again() -> None:
    made = bench(PULUMI_COMMAND_STDOUT="cp1 configured", REINSTALL="cp1")
    made.looks.at(DHCP, MAINTENANCE, SILENT)
    made.looks.at(OWN, SILENT, OURS)
    assert apply(made.job) == "cp1 configured"
    assert made.talos.count("apply-config insecure") == 1


def test_a_node_that_was_configured_before_and_answers_is_left_as_it_is() -> None:
    made = bench(PULUMI_COMMAND_STDOUT="cp1 configured")
    made.looks.at(OWN, OURS)
    assert apply(made.job) == "cp1 configured"
    assert [call.verb for call in made.talos.calls] == ["get machinestatus"]
