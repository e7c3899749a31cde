"""Looks at all machines before any is touched: whether they answer, and are what the configuration says."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.errors import OperationError
from clients.talos import talosctl
from clients.talos.disk_selector import SelectorError, selects
from clients.talos.hardware import Hardware, NoAnswerError, read_hardware, read_identity
from clients.talos.machine_identity import MachineIdentity
from clients.talos.talosconfig import parse_talosconfig
from steps.birth import REINSTALL, BirthMove, configured_before, judge
from steps.environment import Peer
from steps.generate_config import check_client
from steps.inputs import PreflightInputs
from steps.machine_record import MachineRecord, parse_machines, parse_wanted
from steps.waiting import Done, Pending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clients.talos.hardware import BlockDevice
    from steps.job import Job
    from steps.machine_record import WantedMachine

# A machine without power costs the whole limit of a look.
_SIDE_BY_SIDE = 16  # machines that are looked at side by side: a silent one takes seconds
_CHECK = (
    "power, console and cabling of the machines that do not answer, and that their addresses are right; "
    "port 50000"
)
_FIT = (
    "the nodes in the stack's configuration, and which machine answers at which address; "
    "no machine was touched"
)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a machine must not become the node that it is meant for."""

    reason: str


def preflight(job: Job) -> str:
    """Return who the machines are, as JSON by node, once all of them answer and fit.

    A node that was there at the last preflight and is silent is not waited for: it keeps its record.
    """
    inputs = job.inputs(PreflightInputs)
    check_client(job, inputs.talos_version)
    inspection = Inspection(
        job,
        parse_talosconfig(job.secret("talosconfig")).ca,
        parse_wanted(inputs.machines),
        parse_machines(job.last_result()),
        frozenset(inputs.reinstall),
    )
    records = job.wait("every machine to answer", _CHECK, inspection.probe, inputs.reachable_timeout)
    return json.dumps({name: record.to_json() for name, record in sorted(records.items())})


class Inspection:
    """Asks machine after machine until each has been recorded."""

    def __init__(
        self,
        job: Job,
        ca: str,
        wanted: tuple[WantedMachine, ...],
        known: Mapping[str, MachineRecord],
        reinstall: frozenset[str],
    ) -> None:
        self._job, self._ca, self._wanted = job, ca, wanted
        self._known, self._reinstall = known, reinstall
        self._records: dict[str, MachineRecord] = {}

    def probe(self) -> Done[dict[str, MachineRecord]] | Pending:
        """Look at the machines that have not been recorded yet.

        Raises:
            OperationError: with every machine that does not fit.
        """
        # What has answered once is not asked again: it may be the one that reboots by itself.
        left = [machine for machine in self._wanted if machine.name not in self._records]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            found = dict(zip([machine.name for machine in left], pool.map(self._examine, left), strict=True))
        self._records |= {name: item for name, item in found.items() if isinstance(item, MachineRecord)}
        misfits = [item.reason for item in found.values() if isinstance(item, Misfit)]
        # Two entries of the stack file may lead to one machine, through its two addresses.
        misfits += twins(self._records)
        # All of them in one message: a person walks to the machines once.
        if misfits:
            raise OperationError("; ".join(misfits), _FIT)
        pending = [f"{name}: {item.answer}" for name, item in found.items() if isinstance(item, Pending)]
        return Pending("; ".join(pending)) if pending else Done(self._records)

    def _examine(self, machine: WantedMachine) -> MachineRecord | Misfit | Pending:
        """Look at one machine's addresses and ask what answers there."""
        decision = judge(self._job, machine.address, machine.maintenance_address, self._ca)
        if decision.move is BirthMove.REFUSE:
            return Misfit(f"{machine.name}: {decision.message}")
        try:
            if decision.move is BirthMove.OURS:
                return self._examine_ours(machine)
            if decision.move is BirthMove.INSTALL:
                return self._examine_new(machine, decision.address)
        except NoAnswerError as error:
            return Pending(str(error))
        known = self._known.get(machine.name)
        if known is None:
            return Pending(decision.message)
        self._job.say(f"{machine.name} is known and not waited for: {decision.message}")
        return known

    def _examine_ours(self, machine: WantedMachine) -> MachineRecord:
        access = self._job.access(Peer(machine.name, machine.address))
        identity = read_identity(lambda resource: talosctl.get(access, resource), self._job.call)
        return MachineRecord(identity, is_configured=True)

    def _examine_new(self, machine: WantedMachine, address: str) -> MachineRecord | Misfit:
        """Judge a machine in maintenance mode."""
        hardware = read_hardware(lambda kind: talosctl.get_in_maintenance(address, kind), self._job.call)
        record = MachineRecord(hardware.identity, is_configured=False)
        reason = self._taken(machine, address, record) or unfit(machine, hardware)
        return Misfit(reason) if reason else record

    def _taken(self, machine: WantedMachine, address: str, record: MachineRecord) -> str:
        """Return why a machine in maintenance mode may not become this node, or an empty text."""
        # A person has named it, so its being empty is what is expected.
        if machine.name in self._reinstall:
            return ""
        known = self._known.get(machine.name)
        if known and known.is_configured:
            return f"{configured_before(machine.name, address)} ({record.identity}; {REINSTALL})"
        wanted = {other.name for other in self._wanted} - {machine.name}
        for name, other in self._known.items():
            if name in wanted and other.is_configured and _same(other, record):
                return f"{machine.name}: the machine at {address} is {name} ({record.identity})"
        return ""


def unfit(machine: WantedMachine, hardware: Hardware) -> str:
    """Return what a machine has, and what it lacks of its node's configuration; empty if it lacks nothing."""
    try:
        missing = [*_missing_card(machine, hardware), *_missing_disk(machine, hardware)]
    except SelectorError as error:
        return f"Talos cannot read the diskSelector of {machine.name}: {error}"
    return f"{machine.name} has {hardware}, {', '.join(f'no {part}' for part in missing)}" if missing else ""


def _missing_card(machine: WantedMachine, hardware: Hardware) -> Iterator[str]:
    names = {name for card in hardware.cards for name in card.names}
    if machine.card and machine.card not in names:
        yield machine.card
    if machine.mac and machine.mac not in {card.permanent_mac for card in hardware.cards}:
        yield f"network card with the permanent address {machine.mac}"


def _missing_disk(machine: WantedMachine, hardware: Hardware) -> Iterator[str]:
    if hardware.is_container:  # nothing is installed there
        return
    if machine.disk and not any(_is_disk(disk, machine.disk) for disk in hardware.disks):
        yield f"{machine.disk} that can be written"
    if machine.selector and not any(selects(machine.selector, disk) for disk in hardware.disks):
        yield f"disk that fits {json.dumps(machine.selector)}"


def _is_disk(disk: BlockDevice, path: str) -> bool:
    return path in disk.paths and disk.is_writable


def twins(records: Mapping[str, MachineRecord]) -> list[str]:
    """Return which nodes turned out to be one machine: two of its addresses stand in the configuration."""
    ordered = sorted(records.items())
    return [
        f"{name} and {other} are one machine ({record.identity})"
        for number, (name, record) in enumerate(ordered)
        for other, candidate in ordered[number + 1 :]
        if record.identity.macs and record.identity.macs == candidate.identity.macs
    ]


def _same(one: MachineRecord, other: MachineRecord) -> bool:
    """Return whether both are one machine; one that says nothing about itself cannot be told from others."""
    return one.identity != MachineIdentity() and one.identity.is_same(other.identity)
