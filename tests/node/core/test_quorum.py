"""A quorum says pending, reached or impossible, and never more than it knows (Dynamo, 4.5)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.core.quorum import Quorum, Settled


def test_a_node_that_answers_twice_counts_once() -> None:
    """A quorum counts nodes, not answers."""
    quorum = Quorum(2)
    quorum.succeed("a")
    quorum.succeed("a")
    assert quorum.settled(1) is Settled.PENDING

    quorum.succeed("b")
    assert quorum.settled(1) is Settled.REACHED


def test_it_is_impossible_only_when_too_few_are_still_open() -> None:
    """One short and one open is not yet a failure; one short and none open is."""
    quorum = Quorum(2)
    quorum.succeed("a")
    assert quorum.settled(1) is Settled.PENDING
    assert quorum.settled(0) is Settled.IMPOSSIBLE


def test_a_sloppy_quorum_recovers_when_another_node_is_asked() -> None:
    """What is impossible with the questions open now is pending again when a fallback is asked (Dynamo, 4.6)."""
    quorum = Quorum(1)
    assert quorum.settled(0) is Settled.IMPOSSIBLE
    assert quorum.settled(1) is Settled.PENDING


@given(st.integers(1, 5), st.lists(st.sampled_from("abcdefg"), max_size=10), st.integers(0, 5))
def test_settled_is_what_can_still_come_out(needed: int, answers: list[str], still_open: int) -> None:
    """Reached when enough have answered; impossible when not even all that are open would do."""
    quorum = Quorum(needed)
    for node in answers:
        quorum.succeed(node)
    have = len(set(answers))

    settled = quorum.settled(still_open)

    assert (settled is Settled.REACHED) == (have >= needed)
    assert (settled is Settled.IMPOSSIBLE) == (have + still_open < needed)


SIDES = (("a", "b", "c"), ("x", "b", "c"))


def test_each_side_needs_its_own_quorum() -> None:
    """While a seat passes from a to x, those before and those after are asked alike (joint consensus)."""
    quorum = Quorum(2, SIDES)
    quorum.succeed("a")
    quorum.succeed("b")
    assert quorum.settled(1) is Settled.PENDING
    assert quorum.settled(0) is Settled.IMPOSSIBLE
    quorum.succeed("x")
    assert quorum.settled(0) is Settled.REACHED


def test_who_stands_in_counts_on_the_sides_of_the_primary() -> None:
    """And who stands in for nobody on a side does not count there."""
    quorum = Quorum(2, SIDES)
    quorum.succeed("b")
    quorum.succeed("d", "a")
    quorum.succeed("e", "a")
    assert quorum.settled(0) is Settled.IMPOSSIBLE
    quorum.succeed("f", "c")
    assert quorum.settled(0) is Settled.REACHED


def test_sides_may_change_on_the_way() -> None:
    """The seat has passed on: a counts no more, and what was reached before is not taken back by anybody but time."""
    quorum = Quorum(2, (SIDES[0],))
    quorum.succeed("a")
    quorum.succeed("b")
    assert quorum.settled(0) is Settled.REACHED
    quorum.sides = (SIDES[1],)
    assert quorum.settled(1) is Settled.PENDING


@given(
    st.integers(1, 3),
    st.lists(st.sampled_from("abcxd"), max_size=6),
    st.integers(1, 3),
    st.permutations("abc"),
    st.permutations("xbc"),
)
def test_what_both_sides_acknowledge_is_known_to_any_readers_of_either(
    w: int, acks: list[str], r: int, before: list[str], after: list[str]
) -> None:
    """Where R + W > N, R of those before or of those after always ask somebody who knows (Dynamo, 4.5)."""
    quorum = Quorum(w, SIDES)
    for node in acks:
        quorum.succeed(node)
    if quorum.settled(0) is Settled.REACHED and r + w > 3:
        assert set(acks) & set(before[:r])
        assert set(acks) & set(after[:r])
