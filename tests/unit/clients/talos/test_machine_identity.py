"""Telling machines apart."""

from __future__ import annotations

import json

import pytest

from clients.talos.machine_identity import MachineIdentity, parse_record

UUID, OTHER_UUID = "4c4c4544-0046-3010-8052-b4c04f4d4e32", "4c4c4544-0046-3010-8052-b4c04f4d4e33"
CARD, OTHER_CARD = "52:54:00:00:00:01", "52:54:00:00:00:02"
EVERY_BOARD = "03000200-0400-0500-0006-000700080009"
KNOWN = MachineIdentity(UUID, "ABC123", (CARD,))


@pytest.mark.parametrize(
    "seen",
    [
        KNOWN,
        MachineIdentity(UUID, "ABC123", (CARD, OTHER_CARD)),
        MachineIdentity(UUID, "", (CARD,)),
        MachineIdentity("", "ABC123", (CARD,)),
        MachineIdentity(EVERY_BOARD, "Default string", (CARD,)),
        MachineIdentity(UUID, "ABC123", (OTHER_CARD,)),
    ],
    ids=["equal", "one card more", "no serial", "no uuid", "placeholders", "a new card"],
)
def test_the_same_machine(seen: MachineIdentity) -> None:
    assert KNOWN.is_same(seen)
    assert seen.is_same(KNOWN)


@pytest.mark.parametrize(
    "seen",
    [
        MachineIdentity(OTHER_UUID, "ABC123", (OTHER_CARD,)),
        MachineIdentity(OTHER_UUID, "ABC124", (CARD,)),
        MachineIdentity(UUID, "ABC124", (OTHER_CARD,)),
        MachineIdentity(UUID, "", (OTHER_CARD,)),
        MachineIdentity("", "ABC123", (OTHER_CARD,)),
        MachineIdentity(),
    ],
    ids=["another", "a card that moved", "one uuid for two", "no serial", "no uuid", "silent"],
)
def test_another_machine(seen: MachineIdentity) -> None:
    assert not KNOWN.is_same(seen)
    assert not seen.is_same(KNOWN)


@pytest.mark.parametrize("uuid", ["", EVERY_BOARD, "00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("serial", ["", "To Be Filled By O.E.M.", "0"])
def test_what_every_board_says_proves_nothing(uuid: str, serial: str) -> None:
    assert not MachineIdentity(uuid, serial, (CARD,)).is_same(MachineIdentity(uuid, serial, (OTHER_CARD,)))


def test_a_serial_number_of_every_board_does_not_make_up_for_a_card() -> None:
    one, other = (MachineIdentity(UUID, "None", (card,)) for card in (CARD, OTHER_CARD))
    assert not one.is_same(other)


def test_containers_are_not_told_apart() -> None:
    assert MachineIdentity().is_same(MachineIdentity())


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (KNOWN, f"UUID {UUID}, serial number ABC123, MAC {CARD}"),
        (MachineIdentity(macs=(CARD, OTHER_CARD)), f"MAC {CARD} {OTHER_CARD}"),
        (MachineIdentity(), "a machine without identity"),
    ],
)
def test_text(identity: MachineIdentity, text: str) -> None:
    assert str(identity) == text


@pytest.mark.parametrize("identity", [KNOWN, MachineIdentity()])
def test_record(identity: MachineIdentity) -> None:
    assert parse_record(json.loads(json.dumps(identity.to_record()))) == identity


@pytest.mark.parametrize("record", [{}, {"uuid": UUID, "serial": 1, "macs": []}, {"uuid": "", "serial": ""}])
def test_another_record(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the record of a machine's identity"):
        parse_record(record)
