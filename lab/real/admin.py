"""The running cluster as its administrator sees it: kubectl, talosctl and helm from inside the LAN."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.real import lan_bridge
from lab.report import memory_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.real.real_layout import RealLayout

LIMIT = 120.0
PAUSE = 0.5


class ClusterError(RuntimeError):
    """A command failed or something was waited for in vain; the message has the last answer."""


@dataclass(frozen=True)
class CommandAnswer:
    """What a command said, and how it ended."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Admin:
    """Runs the lab's tools with credentials that never become files.

    Attributes:
        layout: Where the tools are.
        kubeconfig: Of the administrator.
        talosconfig: Of the administrator.
    """

    layout: RealLayout
    kubeconfig: str = field(repr=False)
    talosconfig: str = field(repr=False)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return stdout of kubectl.

        Raises:
            ClusterError: it failed; the text has its words.
        """
        return _checked(self._run("kubectl", "--kubeconfig", self.kubeconfig, arguments, stdin), arguments)

    def helm(self, *arguments: str) -> str:
        """Return stdout of helm.

        Raises:
            ClusterError: it failed; the text has its words.
        """
        return _checked(self._run("helm", "--kubeconfig", self.kubeconfig, arguments), arguments)

    def talosctl(self, *arguments: str) -> CommandAnswer:
        """Run talosctl; its failure is an answer like any other."""
        return self._run("talosctl", "--talosconfig", self.talosconfig, arguments)

    def get(self, *arguments: str) -> Any:  # noqa: ANN401 - Kubernetes JSON
        """Return the JSON of `kubectl get`."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def agent(self, node: str, *command: str) -> str:
        """Run a command in the Cilium agent of a node."""
        pods = self.get(
            "pods",
            "--namespace=kube-system",
            "--selector=k8s-app=cilium",
            f"--field-selector=spec.nodeName={node}",
        )
        # A DaemonSet runs at most one pod on a node, save for a moment of its rollout.
        name = pods["items"][0]["metadata"]["name"]
        return self.kubectl(
            "exec", "--namespace=kube-system", name, "--container=cilium-agent", "--", *command
        )

    def _run(
        self, tool: str, option: str, config: str, arguments: tuple[str, ...], stdin: str | None = None
    ) -> CommandAnswer:
        with memory_file(config) as fd:
            command = (str(self.layout.tools / tool), f"{option}=/proc/self/fd/{fd}", *arguments)
            done = subprocess.run(
                lan_bridge.inside(lan_bridge.LAN, *command),
                input=stdin,
                # No command here may wait for the terminal.
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                pass_fds=[fd],
                timeout=LIMIT,
                check=False,
            )
        return CommandAnswer(done.returncode, done.stdout, done.stderr)


def _checked(answer: CommandAnswer, arguments: tuple[str, ...]) -> str:
    if answer.code != 0:
        raise ClusterError(f"{' '.join(arguments[:6])}: {answer.stderr.strip()}")
    return answer.stdout


def wait_for(what: str, ask: Callable[[], bool], limit: float = LIMIT) -> float:
    """Ask until the answer is yes and return the seconds it took.

    Raises:
        ClusterError: it was not yes in time; the text has the last failure of asking.
    """
    began = time.monotonic()
    last = ""
    while True:
        try:
            if ask():
                return time.monotonic() - began
        except (ClusterError, subprocess.TimeoutExpired) as error:
            last = f": {error}"
        # After asking, so that even a short limit gets one answer.
        if time.monotonic() - began > limit:
            raise ClusterError(f"{what}: not within {limit:.0f} s{last}")
        time.sleep(PAUSE)
