"""A clock is a set of dots: everything it does is what sets do."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from node.core.clocks import Actor, Clock, Dot, Seen
from tests.node.core.strategies import ACTORS, clock_of, clocks, dot_sets, dots

X = ACTORS[0]


@given(dot_sets, dots)
def test_a_clock_covers_what_is_in_the_set_and_nothing_else(events: frozenset[Dot], dot: Dot) -> None:
    """`covers` agrees with a set of dots, also where the set has gaps."""
    assert clock_of(events).covers(dot) == (dot in events)


@given(dot_sets, dot_sets)
def test_the_join_is_the_union(one: frozenset[Dot], two: frozenset[Dot]) -> None:
    """Joining two clocks gives the clock of the united sets, entry for entry."""
    assert clock_of(one).joined(clock_of(two)) == clock_of(one | two)


@given(clocks, clocks, clocks)
def test_the_join_is_a_least_upper_bound(one: Clock, two: Clock, three: Clock) -> None:
    """Commutative, associative and idempotent: it does not matter who told whom first, or how often."""
    assert one.joined(two) == two.joined(one)
    assert one.joined(two).joined(three) == one.joined(two.joined(three))
    assert one.joined(one) == one
    assert one.joined(Clock()) == Clock().joined(one) == one


@given(dot_sets, dot_sets)
def test_a_clock_descends_from_its_subsets_only(one: frozenset[Dot], two: frozenset[Dot]) -> None:
    """A partial order: of two concurrent clocks neither descends from the other."""
    assert clock_of(one).descends_from(clock_of(two)) == (one >= two)


@given(st.lists(dots, max_size=16), st.data())
def test_equal_sets_encode_to_equal_bytes(events: list[Dot], data: st.DataObject) -> None:
    """The canonical form: the order in which events were learnt leaves no trace."""
    shuffled = data.draw(st.permutations(events))

    assert msgspec.msgpack.encode(clock_of(shuffled)) == msgspec.msgpack.encode(clock_of(events))


@given(clocks)
def test_a_clock_survives_its_encoding(clock: Clock) -> None:
    """It travels in messages and contexts, and comes back equal."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(clock), type=Clock) == clock


@given(dot_sets)
def test_the_last_event_of_an_actor_is_the_largest(events: frozenset[Dot]) -> None:
    """Not the last contiguous one: the next dot is minted after it."""
    for actor in ACTORS:
        mine = [dot.counter for dot in events if dot.actor == actor]
        assert clock_of(events).last(actor) == max(mine, default=0)


def test_contiguous_events_take_no_room() -> None:
    """Events that close a gap move out of `beyond`, so that a clock is as small as its gaps are few."""
    gapped = clock_of([Dot(X, 1), Dot(X, 4), Dot(X, 3)])
    assert gapped.entries == (Seen(X, 1, (3, 4)),)

    assert gapped.including(Dot(X, 2)).entries == (Seen(X, 4),)


def test_actors_differ_by_each_of_their_three_parts() -> None:
    """Node, incarnation and key epoch: an event of one life says nothing of another's."""
    seen = clock_of([Dot(Actor("x", "1", 1), 1)])

    for actor in (Actor("y", "1", 1), Actor("x", "2", 1), Actor("x", "1", 2)):
        assert not seen.covers(Dot(actor, 1))


def test_a_dot_reads_as_text() -> None:
    """The text that the history of a run names writes by."""
    assert str(Dot(Actor("n1", "0badcafe", 7), 3)) == "n1.0badcafe.7:3"
