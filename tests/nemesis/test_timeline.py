"""A timeline says when and to whom by name; a seed says who that is."""

from __future__ import annotations

import pytest

from nemesis.powers import PlanError
from nemesis.schedule import decode, encode
from nemesis.timeline import Beat, drawn, faults_of

NODES = ("n1", "n2", "n3", "n4", "n5")
SECOND = 10**9


def test_beats_share_a_victim_by_its_name_and_avoid_others() -> None:
    """In every seed, and not the same one in all seeds."""
    timeline = (Beat(1, 5, "kill", "a"), Beat(3, 1.5, "kill", "b"), Beat(7, 1, "wipe", "a"))
    schedules = [drawn(timeline, NODES, seed=seed) for seed in range(20)]
    assert all(one.plan.nodes != other.plan.nodes == again.plan.nodes for other, one, again in schedules)
    assert len({schedule[0].plan.nodes for schedule in schedules}) > 2
    first = schedules[0]
    assert [(each.id, each.at_ns, each.for_ns) for each in first] == [
        (1, SECOND, 5 * SECOND),
        (2, 3 * SECOND, 3 * SECOND // 2),
        (3, 7 * SECOND, SECOND),
    ]
    assert decode(encode(first)) == first
    assert drawn(timeline, NODES, seed=0) == first


def test_spares_come_by_their_number_and_may_be_victims() -> None:
    """The first of them is `new1`, whatever it is called."""
    timeline = (Beat(1, 5, "join", "new1"), Beat(2, 1, "kill", "new1"), Beat(3, 1, "replace", "a new2"))
    join, kill, replace = drawn(timeline, NODES, seed=1, spares=("n6", "n7"))
    assert (join.plan.nodes, join.plan.spares) == ((), ("n6",))
    assert (kill.plan.nodes, kill.plan.spares) == (("n6",), ())
    assert replace.plan.spares == ("n7",)
    assert replace.plan.nodes[0] in NODES


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_may_be_around_a_victim_or_a_group(seed: int) -> None:
    """One side of it is exactly who was named; spares are cut off like all others."""
    groups = {"dc2": ("n2", "n4")}
    timeline = (Beat(1, 5, "partition-isolate", "new1"), Beat(2, 5, "kill-all", "dc2"))
    isolate, kill = drawn(timeline, NODES, seed=seed, spares=("n6",), groups=groups)
    assert isolate.plan.sides == (("n6",), NODES)
    assert sorted(kill.plan.nodes) == ["n2", "n4"]
    (halves,) = drawn((Beat(1, 5, "partition-halves", "dc2"),), NODES, seed=seed, groups=groups)
    assert ("n2", "n4") in halves.plan.sides


def test_numbers_may_be_given_and_are_drawn_otherwise() -> None:
    """Those that are given stand in the plan, the others stay as they were."""
    given, other = drawn((Beat(1, 5, "down", "a", {"wait_ms": 3000.0}), Beat(1, 5, "delay")), NODES, seed=1)
    assert given.plan.how["wait_ms"] == 3000.0
    assert "at" in given.plan.how
    assert other.plan.paths


@pytest.mark.parametrize(
    ("beat", "told"),
    [
        (Beat(1, 5, "join", "new2"), r"this needs 1 more nodes that are to come; give --spares 2"),
        (Beat(1, 5, "kill", "a b"), r"kill cannot be made to hit exactly n\d, n\d"),
        (Beat(1, 5, "kill-all", "a b c d e f"), r"a, b, c, d, e, f are different nodes; there are 5"),
        (Beat(1, 5, "staged-orders", "new1"), r"staged-orders at 1 s names 1 of 2 nodes to come"),
    ],
)
def test_what_cannot_be_is_told(beat: Beat, told: str) -> None:
    """Before anything is drawn into a run."""
    with pytest.raises(PlanError, match=told):
        drawn((beat,), NODES, seed=1, spares=("n6",))


def test_the_faults_of_a_timeline() -> None:
    """Each once, in the order of their first beat."""
    assert faults_of((Beat(1, 1, "kill", "a"), Beat(2, 1, "join", "new1"), Beat(3, 1, "kill", "b"))) == ("kill", "join")
