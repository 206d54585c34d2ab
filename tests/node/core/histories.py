"""Histories of a ring as they come about: nodes that each know something, learn from each other, and do what is due."""

from __future__ import annotations

from hypothesis import strategies as st

from node.core.changes import DOWN, JOIN, LEAVE, REPLACE, UP, Change, History, Member
from node.core.config import ClusterConfig
from node.core.ring import Ring, ring_of

FOUNDERS = ("n1", "n2", "n3", "n4", "n5")
NEWCOMERS = ("x1", "x2", "x3")
VERBS = (JOIN, LEAVE, REPLACE, DOWN, UP, "switch", "switch", "switch", "learn")
KNOWERS = 3

steps = st.lists(st.tuples(st.integers(0, KNOWERS - 1), st.sampled_from(VERBS), st.integers(0, 99)), max_size=25)


def config_of(strategy: int = 3, *, partitions: int = 8, tokens: int = 2, n: int = 3) -> ClusterConfig:
    """Five founders and not many partitions."""
    return ClusterConfig(
        members=FOUNDERS, secret="s", strategy=strategy, partitions=partitions, tokens=tokens, n=n
    ).checked()


def ordered(history: History, operation: str, node: str, by: str = "", *, who: str = "op") -> History:
    """The history with one change more, issued by somebody who knows all of it."""
    comes = node if operation == JOIN else by
    member = Member(comes) if comes else None
    name = f"{who}.{history.height}"
    return history.with_change(Change(history.height, name, operation, node, member, "", who, 0, history.of_changes))


def played(config: ClusterConfig, script: list[tuple[int, str, int]]) -> list[History]:
    """What each of the knowers knows after these steps: changes, switches that were due, and what others told it."""
    known = [History() for _ in range(KNOWERS)]
    for who, verb, choice in script:
        ring = ring_of(config, known[who])
        names = [*FOUNDERS, *NEWCOMERS]
        if verb == "switch":
            moves = ring.moves
            known[who] = known[who].with_switch(moves[choice % len(moves)].switch) if moves else known[who]
        elif verb == "learn":
            known[who] = known[who].merged(known[choice % KNOWERS])
        else:
            node, other = names[choice % len(names)], names[choice // len(names) % len(names)]
            known[who] = ordered(known[who], verb, node, other, who=f"op{who}")
    return known


def united(histories: list[History]) -> History:
    """Everything that anybody knows."""
    everything = History()
    for history in histories:
        everything = everything.merged(history)
    return everything


def settled(config: ClusterConfig, history: History) -> tuple[Ring, int]:
    """The ring when all that is due has been done, one move after the other, and how many moves that took."""
    ring, moves = ring_of(config, history), 0
    while ring.moves:
        history = history.with_switch(ring.moves[-1].switch)
        ring, moves = ring_of(config, history), moves + 1
        assert moves < 1000, "there is no end to it"
    return ring, moves
