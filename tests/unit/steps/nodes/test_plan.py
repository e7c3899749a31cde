"""The plan for the set of nodes: moves, refusals, acknowledgement codes, random histories."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.errors import OperationError
from clients.talos.handshake import State
from steps.nodes.plan import (
    ManagedNode,
    NodesMove,
    NodesState,
    PlannedMove,
    SeenNode,
    WantedNode,
    code_of,
    make_plan,
)
from tests.unit.steps.nodes.nodes_cases import ADDRESSES, machine, settled, wanted

ALL = tuple(ADDRESSES)
UNTOUCHED = "no node has been touched"


def want(state: NodesState, *nodes: WantedNode) -> NodesState:
    """Return the state with exactly these wanted nodes."""
    names = {node.name: node for node in nodes}
    seen = {name: SeenNode(State.OURS, machine(99)) for name in names}
    return replace(state, wanted=names, seen={**seen, **state.seen})


def moves(state: NodesState) -> list[tuple[str, NodesMove]]:
    return [(planned.node.name, planned.move) for planned in make_plan(state)]


def refusal(state: NodesState) -> str:
    with pytest.raises(OperationError, match=UNTOUCHED) as caught:
        make_plan(state)
    return str(caught.value)


def test_nothing_to_do() -> None:
    assert make_plan(settled(*ALL)) == []


def test_a_first_run_gives_every_node_its_configuration_workers_first() -> None:
    assert moves(replace(settled("cp1", "w1"), last={})) == [
        ("w1", NodesMove.CHANGE),
        ("cp1", NodesMove.CHANGE),
    ]


def test_only_the_node_that_changed_is_touched() -> None:
    state = want(settled(*ALL), *(wanted(name, "new" if name == "cp2" else "old") for name in ALL))
    assert moves(state) == [("cp2", NodesMove.CHANGE)]


@pytest.mark.parametrize(
    ("wipes", "seen", "move"),
    [
        (False, SeenNode(State.OURS, machine(4)), NodesMove.SHUT_DOWN),
        (True, SeenNode(State.OURS, machine(4)), NodesMove.WIPE),
        (True, SeenNode(State.SILENT, is_leaving=True), NodesMove.FORGET),
        (False, SeenNode(State.MAINTENANCE, is_leaving=True), NodesMove.FORGET),
    ],
)
def test_a_removed_node_leaves_before_others_change(wipes: bool, seen: SeenNode, move: NodesMove) -> None:  # noqa: FBT001
    state = want(settled(*ALL), *(wanted(name, "new") for name in ("cp1", "cp2", "cp3")))
    state = replace(state, wipes=wipes, seen={**state.seen, "w1": seen})
    assert moves(state) == [("w1", move), *((name, NodesMove.CHANGE) for name in ("cp1", "cp2", "cp3"))]


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [wanted("cp1"), replace(wanted("w1"), name="w9")],
            (
                "w9 has the address of w1, 10.0.50.21: a node cannot be renamed in place; "
                "remove w1 first, then add w9"
            ),
        ),
        (
            [wanted("cp1"), wanted("w1", address="10.0.50.29")],
            "w1 cannot move from 10.0.50.21 to 10.0.50.29; remove it first, then add it at its new address",
        ),
        (
            [wanted("cp1"), wanted("w1", role="controlplane")],
            (
                "w1 is a worker and cannot become a controlplane in place; "
                "remove it first, then add it in its new role"
            ),
        ),
        (
            [wanted("w1"), wanted("cp2")],
            "every control plane would leave (cp1): nothing would remain of etcd",
        ),
        *(
            (
                [wanted("cp1", **{kind: version}), wanted("w1", **{kind: version})],
                (
                    f"versions.{kind} cannot change from {before} to {version} by `pulumi up`: "
                    f"the nodes run {before}; set it back to {before}"
                ),
            )
            for kind, before in (("talos", "v1.13.0"), ("kubernetes", "v1.36.3"))
            for version in ("v1.37.0", "v1.12.9")
        ),
    ],
)
def test_a_change_that_no_run_can_make_is_refused(nodes: list[WantedNode], message: str) -> None:
    assert message in refusal(want(settled("cp1", "w1"), *nodes))


def test_two_nodes_that_swap_addresses_are_refused() -> None:
    state = settled("cp1", "cp2")
    one, two = wanted("cp1", address=ADDRESSES["cp2"]), wanted("cp2", address=ADDRESSES["cp1"])
    said = refusal(want(state, one, two))
    assert "cp1 has the address of cp2" in said
    assert "cp2 has the address of cp1" in said


@pytest.mark.parametrize("state", [found for found in State if found is not State.OURS])
def test_while_a_node_is_down_no_other_is_touched(state: State) -> None:
    cluster = want(settled("cp1", "w1"), wanted("cp1", "new"), wanted("w1"))
    said = refusal(replace(cluster, seen={**cluster.seen, "w1": SeenNode(state)}))
    assert f"w1 must answer as a node of this cluster: 10.0.50.21 {state.value}" in said


def swapped() -> NodesState:
    state = settled("cp1", "w1")
    return replace(state, seen={**state.seen, "w1": SeenNode(State.OURS, machine(9))})


def dead(state: State = State.SILENT) -> NodesState:
    cluster = want(settled("cp1", "w1"), wanted("cp1"))
    return replace(cluster, seen={**cluster.seen, "w1": SeenNode(state)})


def leaving_swapped() -> NodesState:
    return replace(swapped(), wanted={"cp1": wanted("cp1")})


@pytest.mark.parametrize(
    ("state", "message", "then"),
    [
        (swapped(), "w1 is another machine: it was UUID uuid-4", [("w1", NodesMove.CHANGE)]),
        (dead(), "leaves without being asked: 10.0.50.21 does not answer", [("w1", NodesMove.FORGET)]),
        (
            dead(State.FOREIGN),
            "leaves without being asked: 10.0.50.21 is a node of another cluster",
            [("w1", NodesMove.FORGET)],
        ),
        (leaving_swapped(), "w1, which leaves, is another machine", [("w1", NodesMove.SHUT_DOWN)]),
    ],
)
def test_an_event_has_a_code_that_lets_it_happen(
    state: NodesState, message: str, then: list[tuple[str, NodesMove]]
) -> None:
    said = refusal(state)
    assert message in said
    event = next(line for line in said.splitlines() if message in line)
    assert f"add to talos.acknowledge: [{code_of(event)!r}]" in said
    assert moves(replace(state, acknowledged=frozenset({code_of(event)}))) == then


def test_a_code_is_worthless_for_the_next_event() -> None:
    event = next(line for line in refusal(swapped()).splitlines() if "another machine" in line)
    again = replace(swapped(), acknowledged=frozenset({code_of(event)}))
    third = replace(again, seen={**again.seen, "w1": SeenNode(State.OURS, machine(10))})
    assert "now it is UUID uuid-10" in refusal(third)


def test_a_move_is_a_line() -> None:
    planned = PlannedMove(NodesMove.WIPE, wanted("w1"))
    assert str(planned) == "  w1 (worker, 10.0.50.21) leaves the cluster and is wiped"


SUBSETS = st.sets(st.sampled_from(ALL))
CONFIGS = st.fixed_dictionaries({name: st.sampled_from(["one", "two"]) for name in ALL})
HISTORIES = st.lists(
    st.tuples(SUBSETS, CONFIGS, st.booleans(), SUBSETS, st.integers(0, 6)), min_size=1, max_size=6
)


@settings(max_examples=200, deadline=None)
@given(HISTORIES)
def test_random_histories(history: list[tuple[set[str], dict[str, str], bool, set[str], int]]) -> None:
    """Stack files in any order; runs are killed after some moves, machines are down, then all is finished.

    Never a wipe that nobody asked for, never the last control plane taken away, a machine that leaves is
    never changed, and a run that is not refused comes to its end: the next plan is empty.
    """
    last, machines = dict(settled(*ALL).last), {name: settled(*ALL).seen[name] for name in ALL}
    for names, configs, wipes, down, killed_after in history:
        nodes = {name: wanted(name, configs[name]) for name in sorted(names)}
        for name in nodes:
            if machines[name].state is not State.OURS:  # a birth
                machines[name] = SeenNode(State.OURS, last[name].machine if name in last else machine(1))
        seen = {name: SeenNode(State.SILENT) if name in down else found for name, found in machines.items()}
        state = NodesState(nodes, last, seen, wipes=wipes)
        try:
            planned = make_plan(state)
        except OperationError:
            # Refused: only for one of these reasons, and progress is possible once they are gone.
            control_planes = {name for name, node in last.items() if node.wanted.role == "controlplane"}
            assert down & (set(names) | last.keys()) or (control_planes and not control_planes & set(names))
            continue
        assert wipes or all(one.move is not NodesMove.WIPE for one in planned)
        assert {one.node.name for one in planned if one.move is not NodesMove.CHANGE} == last.keys() - names
        assert {one.node.name for one in planned if one.move is NodesMove.CHANGE} <= set(names)
        assert len({one.node.name for one in planned}) == len(planned)
        for one in planned[:killed_after]:
            if one.move in {NodesMove.WIPE, NodesMove.SHUT_DOWN}:
                machines[one.node.name] = SeenNode(State.SILENT, is_leaving=True)
        if killed_after < len(planned):
            continue  # not recorded: the next run looks again
        last = {name: ManagedNode(node, machines[name].machine) for name, node in nodes.items()}
        assert make_plan(NodesState(nodes, last, machines)) == []
