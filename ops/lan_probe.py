"""Looks at an address from the LAN: TCP, HTTP and ARP. Only done when asked for."""

from __future__ import annotations

import fcntl
import http.client
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.table import Row, failed, not_applicable, passed

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network

PATIENCE = 3.0  # seconds for a connection, an HTTP answer and each ARP reply
# One lost packet must not look like a silent node.
ARP_TRIES = 3
_ETH_P_ARP = 0x0806
_SIOCGIFADDR, _SIOCGIFHWADDR = 0x8915, 0x8927
_REPLY = 2
_ARP_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_HEADER = 14  # bytes of an Ethernet header
HTTP = 80


@dataclass(frozen=True, slots=True)
class Interface:
    """A link of this machine.

    Attributes:
        mac: Its hardware address.
        address: Its IPv4 address.
    """

    name: str
    mac: bytes
    address: bytes


def tcp(address: IPv4Address, port: int) -> Row:
    """Open a TCP connection to the address."""
    check = f"{address}:{port} opens"
    began = time.monotonic()
    try:
        socket.create_connection((str(address), port), PATIENCE).close()
    except OSError as error:
        advice = "no ARP reply, no backend, or a firewall; `python -m ops doctor` looks at the first two"
        return failed(check, _reason(error), advice)
    return passed(check, f"connected in {(time.monotonic() - began) * 1000:.0f} ms")


def web(address: IPv4Address, port: int = HTTP) -> Row:
    """Ask the address for a page: any status is an answer."""
    check = f"http://{address}:{port} answers"
    connection = http.client.HTTPConnection(str(address), port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        return passed(check, f"HTTP {connection.getresponse().status}")
    except (OSError, http.client.HTTPException) as error:
        return failed(check, _reason(error), "the pods behind the Service and their logs")
    finally:
        connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {PATIENCE:.0f} s"
    return (error.strerror or "").lower() if isinstance(error, OSError) and error.strerror else repr(error)


def arp(address: IPv4Address, lan: IPv4Network) -> Row:
    """Ask the LAN who has the address; needs root and an interface of this machine in the LAN."""
    check = f"{address} answers ARP"
    interface = lan_interface(lan)
    if interface is None:
        return not_applicable(check, f"this machine has no address in {lan}")
    try:
        replies = ask_arp(interface, address)
    except PermissionError:
        return not_applicable(check, "raw sockets need root")
    except OSError as error:
        return failed(check, f"{interface.name}: {_reason(error)}")
    # Two machines that answer for one address cut each other off, so all replies of a moment are heard.
    macs = sorted(set(replies))
    if not macs:
        advice = "the policy's interfaces, and that the holder of the lease sits in this LAN"
        return failed(check, f"nobody answers on {interface.name}", advice)
    if len(macs) > 1:
        return failed(check, f"several answer: {', '.join(macs)}", "two nodes, or a host with that address")
    return passed(check, f"{macs[0]} on {interface.name}")


def lan_interface(lan: IPv4Network) -> Interface | None:
    """Return the first link of this machine whose address lies in the LAN."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
        for _index, name in socket.if_nameindex():
            try:
                address = _ioctl(query, _SIOCGIFADDR, name)[20:24]
                mac = _ioctl(query, _SIOCGIFHWADDR, name)[18:24]
            except OSError:
                continue  # no IPv4 address
            # Any other interface would ask in a network where nobody can know the address.
            if int.from_bytes(address, "big") & int(lan.netmask) == int(lan.network_address):
                return Interface(name, mac, address)
    return None


def _ioctl(query: socket.socket, request: int, name: str) -> bytes:
    return fcntl.ioctl(query.fileno(), request, struct.pack("256s", name.encode()))


def ask_arp(interface: Interface, address: IPv4Address) -> list[str]:
    """Return the MAC addresses that answer for the address; asks up to three times until one does."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP)) as wire:
        # Asked on the wire, not through the kernel: its ARP cache may know an answer of a minute ago.
        wire.bind((interface.name, 0))
        for _attempt in range(ARP_TRIES):
            wire.send(arp_request(interface, address))
            found = _replies(wire, address)
            if found:
                return found
    return []


def _replies(wire: socket.socket, address: IPv4Address) -> list[str]:
    """Collect all replies of a short time: a second answer is a finding."""
    found: list[str] = []
    end = time.monotonic() + PATIENCE / ARP_TRIES
    while (left := end - time.monotonic()) > 0:
        # Only what is left: other traffic in the LAN would otherwise prolong the wait without end.
        wire.settimeout(left)
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            break
        mac = sender_of_reply(frame, address)
        if mac:
            found.append(mac)
    return found


def arp_request(interface: Interface, address: IPv4Address) -> bytes:
    """Return the Ethernet frame that asks everyone who has the address (RFC 826)."""
    ethernet = b"\xff" * 6 + interface.mac + struct.pack("!H", _ETH_P_ARP)
    body = (1, 0x0800, 6, 4, 1, interface.mac, interface.address, b"\0" * 6, address.packed)
    return ethernet + _ARP_PACKET.pack(*body)


def sender_of_reply(frame: bytes, address: IPv4Address) -> str:
    """Return the MAC address out of a reply for this address, empty for any other frame."""
    # Anybody in the LAN may send a frame that is cut short.
    if len(frame) < _HEADER + _ARP_PACKET.size:
        return ""
    *_, operation, mac, sender, _target_mac, _target = _ARP_PACKET.unpack_from(frame, _HEADER)
    return mac.hex(":") if operation == _REPLY and sender == address.packed else ""
