"""Anti-entropy: what differs, and still does after a while, is repaired in both directions; at rest nothing moves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.anti_entropy import WINDOW
from node.core.clocks import Clock
from node.core.messages import (
    Fetch,
    Fetched,
    Replicate,
    RootsQuery,
    TreeHashes,
    TreeQuery,
)
from node.core.tree_queries import ROOTS_MAX
from node.core.trees import LEAVES, leaf_of
from node.core.versions import NOTHING, Versions, merge
from tests.node.core.pair import NEW, OLD, QUARTERS, RING, SETTLE_MS, Letter, Pair, alike, at_rest, version


def _one_of_each_leaf(count: int) -> list[bytes]:
    """As many keys, all in different leaves."""
    some: dict[int, bytes] = {}
    number = 0
    while len(some) < count:
        some.setdefault(leaf_of(b"%06d" % number), b"%06d" % number)
        number += 1
    return sorted(some.values())


def test_equal_trees_cost_one_question() -> None:
    """One message with all roots, one answer, one slice, no waiting."""
    pair = alike()
    results = pair.exchange()
    pair.deliver()
    assert results == [pair.n1.exchanges.last["n2"]]
    assert (results[0].roots, results[0].differing, results[0].aborted) == (4, 0, "")
    assert [type(letter.message) for letter in pair.said] == [RootsQuery, TreeHashes]
    assert (pair.n1.slices, pair.now_ns) == (1, 0)


def test_many_roots_are_asked_for_in_several_messages() -> None:
    """Each of which is bounded."""
    ends = tuple(number * RING // 600 for number in range(1, 601))
    pair = alike(100, ends)
    pair.n1.replica.put(next(pair.n1.trees.keys_of(pair.n1.trees.partitions_held()[-1])), NEW)
    exchanged = pair.run()
    assert (exchanged.roots, exchanged.repaired_there, exchanged.aborted) == (600, 1, "")
    asked = [letter.message.ends for letter in pair.said if isinstance(letter.message, RootsQuery)]
    assert asked == [ends[:ROOTS_MAX], ends[ROOTS_MAX:]]


def test_a_difference_is_repaired_in_both_directions() -> None:
    """What one lacks, what the other lacks, and what each has a part of."""
    pair = alike()
    pair.n1.replica.put(b"only at n1", OLD)
    pair.n2.replica.put(b"only at n2", OLD)
    pair.n1.replica.put(b"0001", NEW)
    pair.n2.replica.put(b"0002", NEW)
    mine, theirs = version("y"), version("z")
    pair.n1.replica.put(b"0003", mine)
    pair.n2.replica.put(b"0003", theirs)

    exchanged = pair.run()
    assert (exchanged.repaired_here, exchanged.repaired_there) == (3, 3)
    assert (exchanged.false_differences, exchanged.left, exchanged.aborted) == (0, 0, "")
    assert pair.n1.replica.held[b"0003"] == merge(mine, theirs), "siblings, and both live"
    for side in (pair.n1, pair.n2):
        assert side.replica.held[b"only at n1"] == side.replica.held[b"only at n2"] == OLD
        assert side.replica.held[b"0001"] == side.replica.held[b"0002"] == NEW
    at_rest(pair)
    counts = pair.n1.exchanges.counts
    assert (counts["exchanges"], counts["roots"], counts["repaired_here"], counts["repaired_there"]) == (3, 12, 3, 3)


def test_only_what_differs_is_moved() -> None:
    """Five keys are repaired of three hundred, and what one side lacks altogether is not asked for there."""
    pair = alike()
    for number in range(5):
        pair.n1.replica.put(b"%04d" % number, NEW)
    pair.n1.replica.put(b"new", OLD)
    assert pair.run().repaired_there == 6
    assert pair.keys_of(Fetch) == [b"%04d" % number for number in range(5)]
    assert pair.keys_of(Replicate) == [*pair.keys_of(Fetch), b"new"]


def test_siblings_differ_although_their_values_do_not() -> None:
    """The hash is of dots: two blind writes of one value are two siblings everywhere."""
    pair = alike(1)
    one, two = (version(writer, context=Clock()) for writer in ("y", "z"))
    pair.n1.replica.put(b"0000", one)
    pair.n2.replica.put(b"0000", merge(one, two))
    exchanged = pair.run()
    assert (exchanged.repaired_here, exchanged.repaired_there) == (1, 0)
    assert len(pair.n1.replica.held[b"0000"].siblings) == 2
    at_rest(pair)


def test_a_deleted_key_is_deleted_on_both_sides() -> None:
    """A tombstone is a clock without siblings: it wins over what it has seen, and the value does not come back."""
    pair = alike()
    pair.n1.replica.put(b"0000", Versions(NEW.clock))
    pair.n2.replica.put(b"0001", Versions(NEW.clock))
    exchanged = pair.run()
    assert (exchanged.repaired_here, exchanged.repaired_there) == (1, 1)
    assert pair.n1.replica.held[b"0001"].siblings == pair.n2.replica.held[b"0000"].siblings == ()
    at_rest(pair)


def test_a_record_that_is_gone_on_one_side_comes_back() -> None:
    """Anti-entropy cannot tell a reaped record from a lost one: who reaps must do it everywhere."""
    pair = alike()
    pair.n1.replica.forget(b"0000")
    pair.n2.replica.forget(b"0001")
    exchanged = pair.run()
    assert (exchanged.repaired_here, exchanged.repaired_there) == (1, 1)
    at_rest(pair)


def test_a_write_on_its_way_is_a_false_difference() -> None:
    """It is at one node now and at the other a moment later: counted, and nothing is fetched or sent (hazard H15)."""
    pair = alike()
    pair.n1.replica.put(b"0000", NEW)
    pair.n2.replica.forget(b"0001")
    results = pair.exchange()
    pair.deliver()
    assert (results, pair.letters) == ([], []), "it waits and says nothing"

    pair.n2.replica.merge(b"0000", NEW)
    pair.elapse(SETTLE_MS)
    assert (results[0].false_differences, results[0].repaired_there) == (1, 1)
    assert (pair.keys_of(Fetch), pair.keys_of(Replicate)) == ([], [b"0001"])
    at_rest(pair)


def test_a_write_that_comes_after_the_first_look_is_left_alone() -> None:
    """It has not differed for long enough, in whatever leaf it is."""
    pair = alike()
    pair.n1.replica.forget(b"0000")
    results = pair.exchange()
    pair.deliver()
    beside = next(key for key in (b"%d" % n for n in range(10**6)) if leaf_of(key) == leaf_of(b"0000"))
    pair.n1.replica.put(beside, NEW)
    pair.elapse(SETTLE_MS)
    assert (results[0].repaired_here, results[0].repaired_there) == (1, 0)
    assert pair.differing() == [beside]


def test_no_time_is_spent_when_the_difference_is_gone_on_the_way_down() -> None:
    """The roots differed, the leaves no longer do."""
    pair = alike()
    pair.n1.replica.put(b"0000", NEW)
    results = pair.exchange()
    pair.deliver(2)
    pair.n2.replica.merge(b"0000", NEW)
    pair.deliver()
    assert (results[0].differing, results[0].keys, pair.now_ns) == (1, 0, 0)


def test_a_hundred_leaves_take_two_exchanges() -> None:
    """One exchange is bounded, and says what it left for the next."""
    pair = alike(ends=(RING,))
    for key in _one_of_each_leaf(100):
        pair.n2.replica.put(key, NEW)
    first = pair.run()
    assert (first.repaired_here, first.left) == (64, 36)
    second = pair.run()
    assert (second.repaired_here, second.left) == (36, 0)
    at_rest(pair)


def test_a_lost_partition_comes_back_in_bounded_steps() -> None:
    """Scenario S33: everything that n1 had is gone; a few exchanges restore it to the last key, in windows, and each
    message asks for no more than it may.
    """
    pair = alike(3000)
    for key in list(pair.n1.replica.held):
        pair.n1.replica.forget(key)
    moved = []
    while (exchanged := pair.run()).differing:
        moved.append(exchanged.repaired_here)
    assert (len(moved), sum(moved)) == (LEAVES // 64, 3000)
    assert pair.keys_of(Replicate) == [], "n2 lacked nothing"
    queries = [letter.message for letter in pair.said if isinstance(letter.message, TreeQuery)]
    assert max(len(query.places) for query in queries) == 64
    assert pair.n1.slices >= 3000 / WINDOW
    at_rest(pair)


def test_many_partitions_share_one_wait() -> None:
    """Sixteen that differ are looked into before it, so that a round does not take a second for each of them."""
    ends = tuple(number * RING // 64 for number in range(1, 65))
    pair = alike(2000, ends)
    for end in ends[:20]:
        pair.n2.replica.put(next(pair.n2.trees.keys_of(end)), NEW)
    exchanged = pair.run()
    assert (exchanged.differing, exchanged.repaired_here) == (20, 20)
    assert pair.now_ns == 2 * SETTLE_MS * 1_000_000


def test_what_a_peer_only_holds_as_a_hint_is_given_to_it() -> None:
    """Its answer to a fetch includes hints, its tree does not: what it does not have as a replica it is sent."""
    pair = alike(1)
    pair.n1.replica.put(b"0000", NEW)
    results = pair.exchange()
    pair.deliver()
    pair.elapse(SETTLE_MS, deliver=False)
    while not results:
        fetched = pair.letters[0].message
        if isinstance(fetched, Fetched):
            pair.letters[0] = Letter("n2", "n1", Fetched(fetched.call, NEW))
        pair.deliver(1)
    assert (results[0].repaired_here, results[0].repaired_there) == (0, 1)
    at_rest(pair)


keys = st.sampled_from([b"%d" % number for number in range(8)])
writes = st.tuples(st.sampled_from("12"), keys, st.booleans(), st.booleans())


@settings(max_examples=60)
@given(st.lists(writes, max_size=30))
def test_two_exchanges_at_rest_move_nothing_whatever_happened_before(
    steps: list[tuple[str, bytes, bool, bool]],
) -> None:
    """Scenario S34, hazard H15: blind writes, overwrites and deletes at either node, some of which reach the other. One
    exchange makes both the same, and it is what merging by hand makes; from then on nothing is moved.
    """
    pair = Pair(QUARTERS)
    for number, (at, key, blind, arrives) in enumerate(steps):
        side = pair.sides[f"n{at}"]
        held = side.replica.replicated(key)
        side.replica.put(key, version(side.id, number + 1, held, Clock() if blind else held.clock))
        if arrives:
            for other in (pair.n1, pair.n2):
                other.replica.merge(key, side.replica.replicated(key))
    one, two = dict(pair.n1.replica.held), dict(pair.n2.replica.held)
    differing = pair.differing()

    exchanged = pair.run()
    assert exchanged.aborted == ""
    assert len(differing) <= exchanged.moved <= 2 * len(differing)
    for side in (pair.n1, pair.n2):
        assert side.replica.held == {key: merge(one.get(key, NOTHING), two.get(key, NOTHING)) for key in {**one, **two}}
    at_rest(pair)
