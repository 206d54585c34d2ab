"""Seats whose node is gone are gathered; what strayed is brought home and then deleted (Dynamo, 4.9)."""

from __future__ import annotations

from random import Random

import pytest

from node.core.changes import DOWN, LEAVE, REPLACE
from node.core.clocks import Clock
from node.core.messages import TreeQuery
from node.core.store import Space
from node.runtime.memory import MemoryStore
from tests.node.core.cluster import MEMBERS
from tests.node.core.test_transfers import KEYS, in_place, loaded, where

# --- who is gone ---


@pytest.mark.parametrize(("operation", "by"), [(REPLACE, "x1"), (LEAVE, "")])
def test_the_seats_of_who_is_gone_are_gathered_from_the_others(operation: str, by: str) -> None:
    """A node that is replaced, or marked down and removed: whoever takes its seats has all that the others keep."""
    cluster = loaded()
    cluster.crash("n2")
    if by:
        cluster.start(by, MemoryStore())
        cluster.settle()
    else:
        cluster.order("n1", DOWN, "n2")
    cluster.order("n1", operation, "n2", by)
    cluster.moved()
    assert in_place(cluster)
    assert "n2" not in cluster.node("n1").ring.keeping


def test_nothing_is_gathered_while_one_of_the_others_is_silent() -> None:
    """What W acknowledged may lie with the one that is gone and the one that is silent."""
    cluster = loaded()
    cluster.crash("n2")
    cluster.start("x1", MemoryStore())
    cluster.settle()
    cluster.crash("n3")
    cluster.order("n1", REPLACE, "n2", "x1")
    cluster.elapse(5000)
    ring = cluster.node("n1").ring
    with_n3 = [place.end for place in ring.places if "n2" in place.seats and "n3" in place.seats]
    assert [move.end for move in ring.moves] == with_n3 != []
    cluster.restart("n3")
    cluster.moved()
    assert in_place(cluster)


def test_who_is_back_while_seats_are_gathered_is_asked_too() -> None:
    """Two were marked down, and what the two had acknowledged lies with nobody else: the one that comes back in the
    middle knows it.
    """
    cluster = loaded([])
    key = next(key for key in KEYS if {"n2", "n3"} <= {*cluster.preference(key)[:3]})
    (other,) = {*cluster.preference(key)[:3]} - {"n2", "n3"}
    cluster.cut = [("n3", name) for name in MEMBERS if name != "n2"]
    asker = cluster.put("n3", key, b"value")
    cluster.settle()
    cluster.written(asker)
    cluster.crash("n2")
    cluster.crash("n3")
    cluster.cut = []
    cluster.start("x1", MemoryStore())
    cluster.order("n1", DOWN, "n3")
    cluster.cut = [(name, "x1") for name in MEMBERS]
    cluster.order("n1", REPLACE, "n2", "x1")
    cluster.cut = []

    end, rng = cluster.node("n1").ring.at(key).end, Random("any order")
    for _ in range(20_000):
        if "x1" in cluster.node("x1").ring.at(key).seats:
            break
        cluster.happen(rng)
        asked = cluster.sent(TreeQuery, "x1", other)
        queries = [letter for letter in asked if isinstance(letter.message, TreeQuery) and letter.message.end == end]
        if queries and "n3" in cluster.down:
            cluster.letters = [letter for letter in cluster.letters if letter not in queries]
            cluster.restart("n3")
            cluster.settle()
            cluster.letters += queries
    assert "n3" not in cluster.down
    assert cluster.held("x1", key) == [b"value"]


def test_a_hint_for_who_was_replaced_is_for_who_took_its_place() -> None:
    """Nobody waits for the dead (hazard H07: the target is replaced)."""
    cluster = loaded()
    cluster.crash("n2")
    key = cluster.kept_by("n2", 1)[0]
    cluster.put(next(name for name in cluster.preference(key) if name != "n2"), key, b"while away", w=3)
    cluster.elapse(1000)
    assert [target for _, target in cluster.hints()] == ["n2"]
    cluster.start("x1", MemoryStore())
    cluster.settle()
    cluster.order("n1", REPLACE, "n2", "x1")
    cluster.moved()
    cluster.elapse(5000)
    assert cluster.hints() == []
    assert b"while away" in cluster.held("x1", key)


def test_who_leaves_hands_its_hints_over() -> None:
    """Decommissioned with the only hint for a node that is away: somebody else keeps it (hazard H07)."""
    cluster = loaded()
    away, leaves = "n2", "n4"
    key = next(key for key in cluster.kept_by(away, 40) if leaves not in cluster.node("n1").ring.at(key).seats)
    cluster.node(leaves).replica.write(key, Clock(), b"kept for it", hint_for=away)
    cluster.get(leaves, key)
    cluster.crash(away)
    cluster.settle()
    cluster.order("n1", LEAVE, leaves)
    cluster.elapse(10_000)
    assert [holder for holder, _ in cluster.hints()] != [leaves]
    assert [target for _, target in cluster.hints()] == [away]
    cluster.crash(leaves)
    cluster.restart(away)
    cluster.elapse(10_000)
    assert b"kept for it" in cluster.held(away, key)


# --- what lies where it does not belong ---


def test_nothing_is_deleted_before_everybody_who_sits_there_has_it() -> None:
    """The giver keeps its copy, however long one of the others is away."""
    cluster = loaded()
    before = {key: set(cluster.node("n1").ring.at(key).seats) for key in KEYS}
    cluster.crash("n3")
    cluster.join("x1", "n1")
    cluster.elapse(20_000)
    places = {key: cluster.node("n1").ring.at(key) for key in KEYS}
    gone = {key: before[key] - {*place.seats} for key, place in places.items() if place.move is None}
    kept = [key for key in gone if gone[key] and "n3" in places[key].seats]
    assert kept
    assert all(gone[key] <= where(cluster, key) for key in kept)
    assert all(not gone[key] & where(cluster, key) for key in gone if "n3" not in places[key].seats)
    cluster.restart("n3")
    cluster.moved()
    cluster.elapse(5000)
    assert in_place(cluster)


def test_what_strayed_is_brought_home_and_then_deleted() -> None:
    """A write that nobody else has, on a node that has no seat there: each that sits there gets it first."""
    cluster = loaded([])
    key = next(key for key in KEYS if "n1" not in cluster.node("n1").ring.at(key).seats)
    cluster.node("n1").replica.write(key, Clock(), b"astray")
    cluster.get("n1", key)
    cluster.settle()
    assert where(cluster, key) == {"n1"}
    cluster.elapse(1000)
    assert in_place(cluster, [key])
    assert cluster.held(cluster.preference(key)[0], key) == [b"astray"]
    assert cluster.store("n1").get(Space.DATA, key) is None


def test_what_changes_while_it_is_brought_home_is_not_deleted() -> None:
    """It is brought again (hazard H08)."""
    cluster = loaded([])
    key = next(key for key in KEYS if "n1" not in cluster.node("n1").ring.at(key).seats)
    cluster.node("n1").replica.write(key, Clock(), b"first")
    cluster.get("n1", key)
    cluster.settle()
    seen: list[int] = []

    def change() -> None:
        if cluster.sent(TreeQuery, "n1") and not seen:
            seen.append(1)
            cluster.node("n1").replica.write(key, Clock(), b"second")
            cluster.get("n1", key)
        cluster.settle()

    cluster.elapse(3000, then=change)
    assert seen
    assert in_place(cluster, [key])
    assert sorted(cluster.held(cluster.preference(key)[0], key)) == [b"first", b"second"]
