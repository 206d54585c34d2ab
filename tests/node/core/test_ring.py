"""The ring: a pure function of configuration and history: who sits where, and what has to move (Dynamo, 4.2, 4.9)."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.changes import DOWN, JOIN, LEAVE, REPLACE, UP, Change, History
from node.core.claims import RING_BITS as LAYOUT_BITS
from node.core.ring import RING_BITS, Ring, position, ring_of
from tests.node.core.histories import FOUNDERS, config_of, ordered, played, settled, steps, united

STRATEGIES = st.sampled_from([1, 2, 3])
Script = list[tuple[int, str, int]]


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", 0xD41D8CD98F00B204E9800998ECF8427E),
        (b"a", 0x0CC175B9C0F1B6A831C399E269772661),
        (b"abc", 0x900150983CD24FB0D6963F7D28E17F72),
        (b"message digest", 0xF96B697D7CB7938D525A2F31AAF161D0),
    ],
)
def test_a_position_is_the_md5_of_the_key(text: bytes, digest: int) -> None:
    """“Dynamo applies a MD5 hash on the key to generate a 128-bit identifier” (4.1); the vectors are RFC 1321's."""
    assert position(text) == digest


@pytest.mark.parametrize(("key", "partition"), [(b"", 53), (b"a", 3), (b"abc", 36), (b"message digest", 62)])
def test_a_partition_is_the_first_bits_of_the_position(key: bytes, partition: int) -> None:
    """With Q = 64 the top six bits, read off RFC 1321's digests by hand: d4 is 53, 0c is 3, 90 is 36, f9 is 62."""
    ring = Ring(config_of(partitions=64), History())
    assert ring.at(key) is ring.places[partition]


@given(steps, STRATEGIES, st.binary())
@settings(max_examples=50)
def test_partitions_cover_the_ring_and_a_key_is_in_the_one_around_it(script: Script, strategy: int, key: bytes) -> None:
    """Each begins where the last one ends, in any strategy and after any changes."""
    ring = ring_of(config_of(strategy), united(played(config_of(strategy), script)))
    bounds = [0, *ring.ends]
    assert [(place.start, place.end) for place in ring.places] == list(pairwise(bounds))
    assert ring.ends[-1] == 1 << RING_BITS
    place = ring.at(key)
    assert place.start <= position(key) >> 128 - RING_BITS < place.end
    assert ring.ending(place.end) is place
    assert ring.ending(place.end - 1) is None or place.end - 1 in ring.ends
    assert ring.ending((1 << RING_BITS) + 1) is None


@given(steps, STRATEGIES, st.permutations(range(3)))
@settings(max_examples=60)
def test_who_knows_the_same_knows_the_same_ring(script: Script, strategy: int, order: list[int]) -> None:
    """Whatever was heard first: seats, moves, members and digest are a function of what is known."""
    config = config_of(strategy)
    known = played(config, script)
    one, two = Ring(config, united(known)), Ring(config, united([known[at] for at in order]))
    assert (one.digest, one.places, one.members, one.down) == (two.digest, two.places, two.members, two.down)


@given(steps, STRATEGIES)
@settings(max_examples=80)
def test_all_moves_come_to_an_end_at_what_was_wanted(script: Script, strategy: int) -> None:
    """However often rings were changed half way, and by operators who did not know of each other: each partition ends
    with N different nodes, the first of its preference list, and no more moves are made than seats are wrong.
    """
    config = config_of(strategy)
    history = united(played(config, script))
    before = ring_of(config, history)
    wrong = sum(len(place.seats) - len({*place.seats} & {*place.wanted}) for place in before.places)
    ring, moves = settled(config, history)
    assert moves <= wrong
    for place in ring.places:
        assert len(place.seats) == config.n
        assert {*place.wanted} <= {*place.seats}
    if len(ring.members) >= config.n:
        assert all(len({*place.seats}) == config.n for place in ring.places)
        assert ring.keeping == ring.to_keep


@given(steps, STRATEGIES)
@settings(max_examples=60)
def test_a_move_changes_one_seat_of_a_partition(script: Script, strategy: int) -> None:
    """To one who is to sit there and does not: of any W of those before and W of those after, R of either know."""
    config = config_of(strategy)
    ring = ring_of(config, united(played(config, script)))
    for place in ring.places:
        assert len(place.seats) == config.n
        if place.move is None:
            assert place.after == place.seats == place.keepers
            continue
        move = place.move
        assert place.seats[move.seat] == move.giver
        assert place.after[move.seat] == move.taker not in place.seats
        assert [at for at in range(config.n) if place.seats[at] != place.after[at]] == [move.seat]
        assert place.keepers == (*place.seats, move.taker)
        assert ring.due(move)
    assert len({move.end for move in ring.moves}) == len(ring.moves)


@given(steps, st.binary())
@settings(max_examples=60)
def test_a_preference_list_is_who_sits_there_and_then_everybody(script: Script, key: bytes) -> None:
    """“The preference list contains only distinct physical nodes” (4.3), and more than N of them."""
    config = config_of()
    ring = ring_of(config, united(played(config, script)))
    place = ring.at(key)
    assert len(set(place.preference)) == len(place.preference)
    assert {*place.preference} == {*ring.members} | {*place.seats}
    assert place.preference[: len(set(place.seats))] == tuple(dict.fromkeys(place.seats))


# --- what changes mean ---


def test_nothing_moves_before_there_is_a_change() -> None:
    """The founders sit where they are to sit."""
    for strategy in (1, 2, 3):
        ring = Ring(config_of(strategy), History())
        assert ring.moves == ()
        assert ring.members == FOUNDERS
        assert ring.keeping == ring.to_keep


def test_seats_stay_where_they_are_until_they_have_been_handed_over() -> None:
    """A change says how the ring is to be; who serves follows from the switches (4.9)."""
    config = config_of()
    before = Ring(config, History())
    ring = ring_of(config, ordered(History(), JOIN, "x1"))
    assert [place.seats for place in ring.places] == [place.seats for place in before.places]
    assert {move.taker for move in ring.moves} == {"x1"}
    assert "x1" not in ring.keeping
    assert ring.to_keep["x1"] > 0

    done = ring_of(config, ring.history.with_switch(ring.moves[0].switch))
    assert done.keeping["x1"] == 1
    assert not done.due(ring.moves[0])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((JOIN, "x1", ""), (JOIN, "x1", "")),
        ((LEAVE, "n1", ""), (LEAVE, "n1", "")),
        ((DOWN, "n1", ""), (DOWN, "n1", "")),
        ((REPLACE, "n1", "x1"), (REPLACE, "n1", "x2")),
        ((JOIN, "x1", ""), (REPLACE, "n1", "x1")),
    ],
)
def test_of_two_orders_that_exclude_each_other_the_first_counts(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    """Two operators may have given them at once; the second is as good as none (hazard H09)."""
    config = config_of()
    one = ordered(History(), *first, who="a")
    both = one.merged(ordered(History(), *second, who="b"))
    ring, alone = ring_of(config, both), ring_of(config, one)
    assert len(both.changes) == 2
    assert (ring.members, ring.down, ring.places) == (alone.members, alone.down, alone.places)
    assert ring.digest != alone.digest


def test_the_last_member_stays() -> None:
    """Whatever was ordered: somebody has to keep what there is."""
    history = History()
    for node in FOUNDERS:
        history = ordered(history, LEAVE, node)
    ring = ring_of(config_of(), history)
    assert ring.members == ("n5",)
    assert all(len(place.seats) == 3 for place in ring.places)


def test_who_leaves_is_no_member_and_sits_until_somebody_has_taken_over() -> None:
    """Nor is he in the preference list any more than he has to be."""
    ring = ring_of(config_of(), ordered(History(), LEAVE, "n1"))
    assert not ring.is_member("n1")
    assert {move.giver for move in ring.moves} == {"n1"}
    done, _ = settled(config_of(), ring.history)
    assert "n1" not in done.keeping
    assert all("n1" not in place.preference for place in done.places)


def test_who_was_down_and_comes_back_is_not_down() -> None:
    """Up, or joined again after having been replaced."""
    config = config_of()
    down = ordered(History(), DOWN, "n1")
    assert ring_of(config, down).down == ("n1",)
    assert ring_of(config, ordered(down, UP, "n1")).down == ()
    assert ring_of(config, down).places == Ring(config, History()).places, "nothing moves because somebody is down"


def test_who_is_replaced_is_as_good_as_down() -> None:
    """Nobody waits for him; whoever comes takes exactly his place, and he may come again as a newcomer."""
    config = config_of()
    replaced = ordered(History(), REPLACE, "n1", "x1")
    ring = ring_of(config, replaced)
    assert ring.down == ("n1",)
    assert {(move.giver, move.taker) for move in ring.moves} == {("n1", "x1")}
    done, _ = settled(config, replaced)
    assert done.keeping["x1"] == Ring(config, History()).keeping["n1"]
    assert ring_of(config, ordered(replaced, JOIN, "n1")).down == ()


def test_a_change_that_comes_to_light_late_leaves_what_was_switched() -> None:
    """A lower change is heard of after others have had their effect: seats go on from where they are."""
    config = config_of()
    late = ordered(History(), JOIN, "x2", who="a")
    done, _ = settled(config, ordered(History(), JOIN, "x1", who="b"))
    ring = ring_of(config, done.history.merged(late))
    assert [place.seats for place in ring.places] == [place.seats for place in done.places]
    assert ring.members == (*FOUNDERS, "x1", "x2")
    assert settled(config, ring.history)[0].keeping["x2"] > 0


def test_what_was_switched_holds_for_both_parts_of_a_range_that_is_cut() -> None:
    """Strategy 1: a later token cuts a range in two, and whoever had taken it over keeps both parts until they move."""
    config = config_of(1)
    joined, _ = settled(config, ordered(History(), JOIN, "x1"))
    cut = ring_of(config, ordered(joined.history, JOIN, "x2"))
    assert set(joined.ends) < set(cut.ends)
    for place in cut.places:
        around = next(each for each in joined.places if each.start <= place.start and place.end <= each.end)
        assert place.seats == around.seats


def test_a_long_history_is_no_deep_one() -> None:
    """A ring that has been changed thousands of times, such as by a node that is marked down and is back."""
    changes = tuple(
        Change(at, f"c{at:05d}", UP if at % 2 else DOWN, "n1", None, "", "op", 0, "") for at in range(1, 3001)
    )
    assert Ring(config_of(), History(changes)).down == ("n1",)


def test_bounds_fit_in_a_message() -> None:
    """A signed or unsigned integer of 64 bits, also the end of the ring: MessagePack has no larger one."""
    assert 1 << RING_BITS < 1 << LAYOUT_BITS
    for strategy in (1, 2, 3):
        assert all(one < two for one, two in combinations(Ring(config_of(strategy), History()).ends, 2))
