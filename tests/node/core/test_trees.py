"""The Merkle trees of one node: equal knowledge gives equal trees, by whatever way it came (Dynamo, 4.7)."""

from __future__ import annotations

from hashlib import md5
from random import Random
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from node.core.clocks import Actor, Clock, Dot
from node.core.trees import BRANCHES, LEAVES, LEAVES_EACH, Trees, key_hash, leaf_of
from node.core.versions import Versions, merge
from tests.node.core.pair import QUARTERS, RING, version

ALL = range(LEAVES)


class Layout(NamedTuple):
    """The ring is cut anew."""

    ends: tuple[int, ...]


class Update(NamedTuple):
    """A key has other versions, or none."""

    key: bytes
    versions: Versions | None


Step = Layout | Update

KEYS = [key for key in (b"%d" % number for number in range(1500)) if leaf_of(key) in (7, 8, 200)]
keys = st.sampled_from(KEYS)
known = st.builds(version, st.sampled_from("xyz"), st.integers(1, 3))
layouts = st.lists(st.integers(1, RING), min_size=1, max_size=6, unique=True).map(lambda ends: tuple(sorted(ends)))
steps = st.lists(st.one_of(st.builds(Update, keys, st.none() | known), st.builds(Layout, layouts)), max_size=40)


def _position(key: bytes) -> int:
    return int.from_bytes(md5(key).digest()[:8], "big") >> 1


def _filled(ends: tuple[int, ...] = QUARTERS, count: int = 200) -> tuple[Trees, list[bytes]]:
    trees = Trees(ends)
    some = [b"%04d" % number for number in range(count)]
    for key in some:
        trees.update(key, version("x"))
    trees.ready = True
    return trees, some


def _everything(trees: Trees, ends: tuple[int, ...]) -> list[object]:
    """All that can be seen of these trees."""
    every = range(BRANCHES)
    return [
        trees.partitions_held(),
        *((trees.root(end), trees.branches(end), trees.leaves(end, every), trees.count(end)) for end in ends),
        *((list(trees.keys_of(end)), trees.keys(end, ALL)) for end in ends),
    ]


@given(layouts, steps, st.randoms(use_true_random=False))
def test_a_tree_after_any_updates_is_the_tree_rebuilt_from_scratch(
    ends: tuple[int, ...], steps: list[Step], rng: Random
) -> None:
    """In any order of the keys, in pages of any size, whatever was deleted, replaced or laid out anew meanwhile, and
    whatever had been asked, and so been kept, in between.
    """
    trees, held = Trees(ends), dict[bytes, Versions]()
    for step in steps:
        if isinstance(step, Layout):
            ends = step.ends
            trees.laid_out(ends)
        else:
            trees.update(step.key, step.versions)
            held.pop(step.key, None)
            held |= {} if step.versions is None else {step.key: step.versions}
        trees.root(ends[0])

    page = list(held.items())
    rng.shuffle(page)
    half = rng.randrange(len(page) + 1)
    rebuilt = Trees(ends)
    for some in (page[half:], page[:half]):
        rebuilt.rebuild_some(some)
    assert _everything(rebuilt, ends) == _everything(trees, ends)


@given(st.dictionaries(keys, known), st.lists(st.tuples(keys, known)), st.integers(0, 40))
def test_writes_and_a_rebuild_meet_in_either_order(
    stored: dict[bytes, Versions], writes: list[tuple[bytes, Versions]], before: int
) -> None:
    """A write that comes before its key's page is not undone by it, also when the page was read before the write."""
    trees = Trees(QUARTERS)
    for key, versions in writes[:before]:
        trees.update(key, versions)
    trees.rebuild_some(stored.items())
    for key, versions in writes[before:]:
        trees.update(key, versions)

    expected = Trees(QUARTERS)
    expected.rebuild_some((stored | dict(writes)).items())
    assert _everything(trees, QUARTERS) == _everything(expected, QUARTERS)


def test_a_partition_has_the_keys_below_its_end_and_the_ring_begins_again() -> None:
    """Ends are exclusive, and what is past the last end is in the partition of the first."""
    trees, some = _filled()
    for number, end in enumerate(QUARTERS):
        expected = [key for key in some if _position(key) * 4 // RING == number]
        assert list(trees.keys_of(end)) == expected
        assert trees.count(end) == len(expected) > 30

    key = some[0]
    place = _position(key)
    trees.laid_out((place, place + 1))
    assert list(trees.keys_of(place + 1)) == [key], "the one position from `place` up to `place + 1`"
    assert trees.count(place) == len(some) - 1, "all others, from there around the ring"


def test_leaves_do_not_depend_on_partitions() -> None:
    """Also the keys of a tiny partition spread over the leaves: its bits are not theirs."""
    some = [key for key in (b"%06d" % number for number in range(40_000)) if _position(key) < RING // 256]
    assert len(some) > 100
    assert len({leaf_of(key) for key in some}) > 80


def test_a_layout_moves_only_what_its_bounds_concern() -> None:
    """A node joins under strategy 1 and splits one partition: the others' trees are the same objects."""
    trees, some = _filled()
    before = {end: trees.root(end) for end in QUARTERS}
    untouched = trees._tree(QUARTERS[0])
    ends = (RING // 4, RING // 3, RING // 2, 3 * RING // 4, RING)
    trees.laid_out(ends)
    assert trees._tree(QUARTERS[0]) is untouched
    assert trees.root(RING // 2) != before[RING // 2]
    assert {key for end in ends for key in trees.keys_of(end)} == set(some)

    trees.laid_out(QUARTERS)
    assert {end: trees.root(end) for end in QUARTERS} == before


def test_a_hash_is_of_the_key_its_clock_and_its_siblings_dots() -> None:
    """And of nothing else: not of the values, nor of the order in which siblings came."""
    one, two = version("x"), version("y")
    both, again = merge(one, two), merge(two, one)
    assert key_hash(b"k", both) == key_hash(b"k", again)
    tombstone = Versions(one.clock)
    cases = [(b"k", one), (b"l", one), (b"k", two), (b"k", both), (b"k", tombstone), (b"k", version("x", 2, one))]
    assert len({key_hash(key, versions) for key, versions in cases}) == len(cases)

    unsorted = Versions(both.clock, both.siblings[::-1])
    assert key_hash(b"k", unsorted) == key_hash(b"k", both)
    dot = Dot(Actor("x", "1", 1), 1)
    assert key_hash(b"k", Versions(Clock().including(dot))) == key_hash(b"k", tombstone)


def test_the_same_hashes_in_every_process() -> None:
    """They are compared between machines and versions of Python, so a changed number is a changed protocol. These were
    computed by hand, from the bytes of MessagePack and the shape of the tree.
    """
    trees = Trees((RING,))
    assert trees.root(RING) == 13860659781385476798
    trees.update(b"key", version("x"))
    assert trees.hash_of(b"key") == 4181237023533907177
    assert trees.root(RING) == 15387602234789957858


def test_a_change_shows_on_the_way_to_the_root_and_nowhere_else() -> None:
    """One leaf, one branch, one root; and it is gone when the change is undone."""
    trees, some = _filled((RING,))
    before = trees.root(RING), trees.branches(RING), trees.leaves(RING, range(BRANCHES))
    key = some[7]
    trees.update(key, version("y"))
    after = trees.root(RING), trees.branches(RING), trees.leaves(RING, range(BRANCHES))
    assert after[0] != before[0]
    assert [place for place in range(BRANCHES) if after[1][place] != before[1][place]] == [leaf_of(key) // LEAVES_EACH]
    assert [place for place in ALL if after[2][place] != before[2][place]] == [leaf_of(key)]
    trees.update(key, version("x"))
    assert (trees.root(RING), trees.branches(RING), trees.leaves(RING, range(BRANCHES))) == before


def test_a_deleted_key_leaves_nothing() -> None:
    """Trees that have held keys and hold none any more are the trees of a node that never had any."""
    trees, some = _filled()
    assert trees.hash_of(some[0]) == key_hash(some[0], version("x"))
    for key in some:
        trees.update(key, None)
        trees.update(key, None)
        assert trees.hash_of(key) is None
    assert _everything(trees, QUARTERS) == _everything(Trees(QUARTERS), QUARTERS)
    assert trees.partitions_held() == ()


def test_keys_can_be_read_while_they_change() -> None:
    """A transfer reads them for minutes, and what is written meanwhile must not break it."""
    trees, some = _filled((RING,))
    reading = trees.keys_of(RING)
    assert next(reading) == some[0]
    trees.update(b"0000-later", version("x"))
    trees.update(some[5], None)
    assert list(reading) == some[1:]
