"""A client on the LAN that asks without pause who has an address and what answers on it.

`python -m lab.real.lan_watch OWN ADDRESS SECONDS` runs in a client's network namespace and prints a JSON
object for each try: `{"at": seconds since the epoch, "arp": MAC address or null}`, or `"http": pod or
null`. ARP is asked with packets of its own, so that the client's ARP cache hides nothing.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.request

CARD = "eth0"
PERIOD = 0.1
HTTP_LIMIT = 1.0
ETHERNET_ARP = 0x0806
REQUEST = 1
REPLY = 2
_HEADER = struct.Struct("!HHBBH6s4s6s4s")


def request_frame(mac: bytes, own: bytes, wanted: bytes) -> bytes:
    """Return an Ethernet frame that asks everybody who has `wanted` (RFC 826)."""
    ethernet = b"\xff" * 6 + mac + struct.pack("!H", ETHERNET_ARP)
    return ethernet + _HEADER.pack(1, 0x0800, 6, 4, REQUEST, mac, own, bytes(6), wanted)


def answer_of(frame: bytes, wanted: bytes) -> str | None:
    """Return the MAC address of an ARP reply for `wanted`, None for any other frame."""
    if len(frame) < 14 + _HEADER.size or frame[12:14] != struct.pack("!H", ETHERNET_ARP):
        return None
    _, _, _, _, operation, mac, address, _, _ = _HEADER.unpack_from(frame, 14)
    return mac.hex(":") if operation == REPLY and address == wanted else None


class Arp:
    """Asks for one address with raw frames."""

    def __init__(self, own: str, wanted: str) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERNET_ARP))
        self.socket.bind((CARD, 0))
        self.wanted = socket.inet_aton(wanted)
        mac: bytes = self.socket.getsockname()[4]
        self.frame = request_frame(mac, socket.inet_aton(own), self.wanted)

    def ask(self) -> str | None:
        """Return the MAC address that answers within a period, None if none does."""
        self.socket.send(self.frame)
        # One limit for all frames: unrelated ARP traffic must not stretch a try.
        deadline = time.monotonic() + PERIOD
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                found = answer_of(self.socket.recv(2048), self.wanted)
            except TimeoutError:
                return None
            if found:
                return found
        return None


def ask_http(address: str) -> str | None:
    """Return the pod that answers, None if none does in time."""
    try:
        with urllib.request.urlopen(f"http://{address}/", timeout=HTTP_LIMIT) as answer:
            return str(json.load(answer)["pod"])
    except (OSError, urllib.error.URLError, ValueError, KeyError):
        return None


def main(arguments: list[str]) -> int:
    """Print a line per try until the time is over; ARP and HTTP are asked independently."""
    own, address, seconds = arguments[0], arguments[1], float(arguments[2])
    deadline = time.monotonic() + seconds
    printing = threading.Lock()

    def tell(kind: str, value: str | None) -> None:
        with printing:
            # Wall-clock time: the cut that it is compared with is noted by another process.
            print(json.dumps({"at": time.time(), kind: value}), flush=True)

    def http() -> None:
        while time.monotonic() < deadline:
            tell("http", ask_http(address))
            time.sleep(PERIOD)

    # A thread of its own: an HTTP request that hangs for a second must not thin out the ARP tries.
    asking = threading.Thread(target=http)
    asking.start()
    arp = Arp(own, address)
    while time.monotonic() < deadline:
        tell("arp", arp.ask())
        time.sleep(PERIOD)
    asking.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
