"""The simulator answers talosctl as real Talos does.

The same calls run against both. A difference fails, but for those of the container platform, which stand here
with their reason; each of them must be there, so that the list cannot outlive its cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real.contract import NO_ANSWER

if TYPE_CHECKING:
    from tests.real.contract import Observation

    Seen = dict[str, Observation]

PLATFORM = {
    "maintenance: links": "the card of a namespace is a veth: driver version and speed, but no bus",
}
"""Calls that differ because the real nodes are namespaces, not machines."""

SLOW = {
    "configured: etcd members": "refused at once on an idle node, no answer within the limit on a busy one",
}
"""Calls that real nodes answer late at times; the simulator gives the answer of the others."""

FACTS = {
    "maintenance: authenticated call": (1, "x509: certificate signed by unknown authority"),
    "maintenance: apply no config": (1, "rpc error: code = InvalidArgument"),
    "maintenance: apply (controlplane)": (0, ""),
    "configured: insecure call": (1, "REFUSED WITHOUT A CERTIFICATE"),
    "configured: stranger's certificate": (1, "x509: certificate signed by unknown authority"),
    "configured: worker before bootstrap": (1, "connect: connection refused"),
    "bootstrapped: bootstrap again": (1, "code = AlreadyExists desc = etcd data directory is not empty"),
    "bootstrapped: bootstrap of a worker": (1, "bootstrap is only available on control plane nodes"),
    "bootstrapped: kubeconfig of a worker": (1, "kubeconfig is only available on control plane nodes"),
}
"""What the program relies on; seen on real nodes, so that two equal wrongs do not pass."""


@pytest.mark.parametrize("name", FACTS)
def test_what_the_program_relies_on_is_so(seen_on_real_nodes: Seen, name: str) -> None:
    code, part = FACTS[name]
    seen = seen_on_real_nodes[name]
    assert seen.code == code
    assert part in seen.message


def test_both_run_the_same_calls(seen_on_simulator: Seen, seen_on_real_nodes: Seen) -> None:
    assert list(seen_on_simulator) == list(seen_on_real_nodes)


def test_the_simulator_answers_as_real_nodes_do(seen_on_simulator: Seen, seen_on_real_nodes: Seen) -> None:
    different = [
        f"{name}\n  simulator: {seen_on_simulator.get(name)}\n  real:      {seen}"
        for name, seen in seen_on_real_nodes.items()
        if name not in PLATFORM
        and seen_on_simulator.get(name) != seen
        and not (name in SLOW and seen.code == NO_ANSWER)
    ]
    assert not different, "\n".join(different)


@pytest.mark.parametrize("name", PLATFORM)
def test_an_exception_is_needed(seen_on_simulator: Seen, seen_on_real_nodes: Seen, name: str) -> None:
    assert seen_on_simulator[name] != seen_on_real_nodes[name], f"no longer different: {PLATFORM[name]}"
