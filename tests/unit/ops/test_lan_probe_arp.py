"""ARP, TCP and HTTP against a host that really has the address: two network namespaces and a cable."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAC = "02:00:00:00:00:0b"
OUTER = f"""
import json, subprocess, sys, time
from ipaddress import IPv4Address, IPv4Network
from ops import lan_probe

def ip(*words):
    subprocess.run(["ip", *words], check=True)

node = subprocess.Popen(["unshare", "--net", sys.executable, "-c", INNER], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, text=True)
try:
    node.stdout.readline()
    ip("link", "add", "name", "here", "type", "veth", "peer", "name", "node")
    ip("link", "set", "node", "address", "{MAC}")
    ip("link", "set", "node", "netns", str(node.pid))
    ip("link", "set", "here", "up")
    ip("addr", "add", "10.0.50.9/24", "dev", "here")
    node.stdin.write("go\\n"); node.stdin.flush()
    node.stdout.readline()
    vip, lan = IPv4Address("10.0.50.200"), IPv4Network("10.0.50.0/24")
    rows = [lan_probe.arp(vip, lan), lan_probe.tcp(vip, 80), lan_probe.web(vip), lan_probe.arp(vip + 1, lan)]
    print(json.dumps([[row.check, row.verdict.value, row.evidence] for row in rows]))
finally:
    node.kill()
    node.wait()
"""
INNER = """
import http.server, subprocess, sys
print("born", flush=True)
sys.stdin.readline()
subprocess.run(["ip", "link", "set", "node", "up"], check=True)
subprocess.run(["ip", "addr", "add", "10.0.50.200/24", "dev", "node"], check=True)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204); self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("10.0.50.200", 80), Page)
print("up", flush=True)
server.serve_forever()
"""


def namespaces() -> bool:
    """Tell whether this machine lets us make network namespaces of our own."""
    if not all(map(shutil.which, ("unshare", "ip"))):
        return False
    test = [
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "ip",
        "link",
        "add",
        "name",
        "here",
        "type",
        "veth",
    ]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(
    not namespaces(), reason="needs unshare, ip and leave to make user and network namespaces"
)
def test_an_address_that_is_there_and_one_that_is_not() -> None:
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--net"),
            *(sys.executable, "-c", f"INNER = {INNER!r}\n{OUTER}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    arp, tcp, web, nobody = json.loads(done.stdout)
    assert arp == ["10.0.50.200 answers ARP", "pass", f"{MAC} on here"]
    assert tcp[:2] == ["10.0.50.200:80 opens", "pass"]
    assert web == ["http://10.0.50.200:80 answers", "pass", "HTTP 204"]
    assert nobody == ["10.0.50.201 answers ARP", "fail", "nobody answers on here"]
