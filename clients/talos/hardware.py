"""What a machine is made of, as Talos reports it: network cards, disks, and what its firmware says.

Talos serves it in maintenance mode to everybody, and later to whoever has credentials. Sources:
LinkStatusSpec, DiskSpec and SystemInformationSpec in Talos' machinery module, 1.13.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.talos.answers import json_stream, words
from clients.talos.machine_identity import MachineIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clients.talos.process import Result
    from clients.talos.talosctl import Invocation

    Ask = Callable[[str], Invocation]
    Run = Callable[[Invocation], Result]

_CONTAINER = "container"


class NoAnswerError(Exception):
    """The machine did not answer a question; the text is Talos' own."""


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """A physical link.

    Attributes:
        names: the kernel's name first, then its other names.
        permanent_mac: the address that was burnt in, lower case; empty if the card has none.
    """

    names: tuple[str, ...]
    permanent_mac: str = ""

    def __str__(self) -> str:
        """Return `enp1s0 (mac 52:54:00:00:00:01)`."""
        return f"{self.names[0]} (mac {self.permanent_mac})" if self.permanent_mac else self.names[0]


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A disk; texts are empty where it says nothing.

    Attributes:
        paths: its device path first, then its symbolic links.
        size: bytes.
        is_writable: whether Talos may install on it: no CD-ROM, not read-only.
    """

    paths: tuple[str, ...]
    size: int = 0
    model: str = ""
    serial: str = ""
    modalias: str = ""
    uuid: str = ""
    wwid: str = ""
    bus_path: str = ""
    transport: str = ""
    is_rotational: bool = False
    is_writable: bool = True

    def __str__(self) -> str:
        """Return `/dev/sda (1000 GB, model X, serial Y)`, as far as known."""
        told = [
            f"{name} {value}" for name, value in (("model", self.model), ("serial", self.serial)) if value
        ]
        size = [f"{self.size / 1e9:.0f} GB"] if self.size else []
        return f"{self.paths[0]} ({', '.join((*size, *told))})" if size or told else self.paths[0]


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine's parts.

    Attributes:
        is_container: whether it is no machine but a container: it has no disks, and Talos installs nothing.
    """

    identity: MachineIdentity
    cards: tuple[NetworkCard, ...] = ()
    disks: tuple[BlockDevice, ...] = ()
    is_container: bool = False

    def __str__(self) -> str:
        """Return its cards and disks: `enp1s0 (mac …) and /dev/nvme0n1 (…)`."""
        parts = [", ".join(map(str, found)) for found in (self.cards, self.disks) if found]
        return " and ".join(parts) or "neither network cards nor disks"


def read_identity(ask: Ask, run: Run) -> MachineIdentity:
    """Ask a machine who it is.

    Args:
        ask: makes the question for a type of resource, in maintenance mode or with credentials.
        run: runs it.

    Raises:
        NoAnswerError: it did not answer.
    """
    return _identity(_answer(ask, run, "systeminformation"), _answer(ask, run, "links"))


def read_hardware(ask: Ask, run: Run) -> Hardware:
    """Ask a machine what it is made of, with the arguments of `read_identity`.

    Raises:
        NoAnswerError: it did not answer.
    """
    links = _answer(ask, run, "links")
    identity = _identity(_answer(ask, run, "systeminformation"), links)
    disks = tuple(_disk(item["spec"]) for item in _answer(ask, run, "disks"))
    # Asked only where there is no disk: containers have none, and a machine without one is an error.
    platform = [] if disks else _answer(ask, run, "platformmetadata")
    is_container = any(item["spec"].get("platform") == _CONTAINER for item in platform)
    cards = tuple(_card(item) for item in links if is_container or _is_physical(item["spec"]))
    return Hardware(identity, cards, disks, is_container)


def _answer(ask: Ask, run: Run, resource: str) -> list[dict[str, Any]]:
    """Return the resources of a type, those with a spec that can be read."""
    result = run(ask(resource))
    if not result.ok:
        raise NoAnswerError(words(result))
    try:
        found = json_stream(result.stdout)
    except ValueError:
        raise NoAnswerError(f"talosctl printed {resource} in a form that is not known here") from None
    return [item for item in found if isinstance(item.get("spec"), dict)]


def _identity(system: list[dict[str, Any]], links: list[dict[str, Any]]) -> MachineIdentity:
    firmware = system[0]["spec"] if system else {}
    macs = {_mac(item["spec"]) for item in links if _is_physical(item["spec"])}
    return MachineIdentity(
        _text(firmware, "uuid").lower(), _text(firmware, "serialnumber"), tuple(sorted(macs - {""}))
    )


def _is_physical(spec: Mapping[str, Any]) -> bool:
    """Return what Talos' LinkStatusSpec.Physical() says."""
    return spec.get("type") == "ether" and not spec.get("kind")


def _mac(spec: Mapping[str, Any]) -> str:
    return _text(spec, "permanentAddr").lower()


def _card(item: Mapping[str, Any]) -> NetworkCard:
    others = item["spec"].get("altNames") or []
    return NetworkCard((str(item["metadata"]["id"]), *map(str, others)), _mac(item["spec"]))


def _disk(spec: Mapping[str, Any]) -> BlockDevice:
    return BlockDevice(
        paths=(_text(spec, "dev_path"), *map(str, spec.get("symlinks") or [])),
        size=int(spec.get("size", 0)),
        model=_text(spec, "model"),
        serial=_text(spec, "serial"),
        modalias=_text(spec, "modalias"),
        uuid=_text(spec, "uuid"),
        wwid=_text(spec, "wwid"),
        bus_path=_text(spec, "bus_path"),
        transport=_text(spec, "transport"),
        is_rotational=spec.get("rotational") is True,
        is_writable=not (spec.get("readonly") or spec.get("cdrom")),
    )


def _text(spec: Mapping[str, Any], key: str) -> str:
    return str(spec.get(key) or "").strip()
