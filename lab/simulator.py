"""Start and stop the node simulator, one detached process that owns everything it starts."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.layout import Layout

    Address = tuple[str, int]

STOP_LIMIT = 30.0


class SimulatorError(RuntimeError):
    """The simulator did not start or stop; the message is its own last line."""


def start(layout: Layout, binary: Path, document: dict[str, Any], addresses: Iterable[Address]) -> bool:
    """Run the simulator with this configuration; return False if it runs with just that already.

    It binds an address only when its node comes up there; `addresses` are all that it will need.

    Raises:
        SimulatorError: an address is taken, or the simulator did not start.
    """
    # Compared as text: any difference, in paths of tools too, asks for a new simulator.
    text = json.dumps(document, indent=2)
    if running(layout) is not None:
        if layout.simulator_config.read_text() == text:
            return False
        stop(layout)
    # After the old one ended: its own listeners must not count as somebody else's.
    refuse_taken(addresses)
    layout.simulator_config.write_text(text)
    layout.nodes.mkdir(mode=0o700, exist_ok=True)
    _spawn(layout, binary)
    return True


def refuse_taken(addresses: Iterable[Address]) -> None:
    """Refuse to start where somebody else listens.

    Raises:
        SimulatorError: an address is taken (all of them are named) or cannot be listened on.
    """
    taken = [f"{host}:{port}" for host, port in addresses if not _free(host, port)]
    if taken:
        raise SimulatorError(
            f"{', '.join(taken)} already in use; is another lab running? End it (make lab-down there), or "
            "run beside it with another subnet: LAB_SUBNET=11 make lab"
        )


def _free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what lingers after a lab is no lab
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise SimulatorError(
                f"cannot listen on {host}:{port}: {error.strerror}; the lab needs Linux"
            ) from None
    return True


def _spawn(layout: Layout, binary: Path) -> None:
    read, write = os.pipe()
    with layout.simulator_log.open("ab") as log, os.fdopen(read, "rb") as ready:
        # The log is appended to; only what this start adds may explain its failure.
        start_of_log = log.tell()
        pid = os.posix_spawn(
            binary,
            [str(binary), "--config", str(layout.simulator_config)],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, write, 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
            setsid=True,  # it outlives this command, and Ctrl-C in the terminal
        )
        # Ours must go, or the read below would never see the end of a simulator that died.
        os.close(write)
        # Before it is ready: a command that is killed while it waits must still find what it started.
        layout.simulator_pid.write_text(f"{pid} {_start_time(pid)}\n")
        if ready.readline().strip() != b"ready":
            _, status = os.waitpid(pid, 0)
            layout.simulator_pid.unlink(missing_ok=True)
            said = layout.simulator_log.read_bytes()[start_of_log:].decode(errors="replace").strip()
            code = os.waitstatus_to_exitcode(status)
            raise SimulatorError(f"the node simulator did not start: {said or f'exit code {code}'}")


def running(layout: Layout) -> int | None:
    """Return the process id of the lab's simulator, None if it does not run.

    The start time guards against a number that another process got in the meantime.
    """
    try:
        pid, started = layout.simulator_pid.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _start_time(int(pid)) == started else None


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat: clock ticks since boot; None for a process that ended."""
    try:
        # The name of the program stands in brackets and may itself hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def stop(layout: Layout) -> bool:
    """End the simulator and all that it started; return whether it ran."""
    pid = running(layout)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        limit = time.monotonic() + STOP_LIMIT
        while running(layout) is not None:
            if time.monotonic() > limit:
                os.kill(pid, signal.SIGKILL)  # its children die with it
            # A child of this process stays a zombie until it is waited for.
            _reap(pid)
            time.sleep(0.05)
    layout.simulator_pid.unlink(missing_ok=True)
    return pid is not None


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # started by an earlier command
        return
