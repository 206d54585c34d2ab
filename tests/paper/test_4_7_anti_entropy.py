"""Section 4.7, handling permanent failures: replica synchronisation with Merkle trees."""

from __future__ import annotations

import pytest

from node.core.messages import Fetch, Fetched, Replicate, Stored, TreeHashes, TreeKeys
from node.core.trees import BRANCHES, LEAVES_EACH, leaf_of
from tests.node.core.pair import NEW, OLD, RING, Pair


def _differing(count: int, differing: int) -> Pair:
    """Two nodes with so many keys of one partition; n2 has missed the last write to some of them."""
    pair = Pair()
    for number in range(count):
        key = b"%06d" % number
        pair.n1.replica.put(key, NEW if number < differing else OLD)
        pair.n2.replica.put(key, OLD)
    return pair


def _hashes(pair: Pair) -> int:
    """How many hashes of the trees were sent."""
    return sum(len(letter.message.hashes) for letter in pair.said if isinstance(letter.message, TreeHashes))


def _keys(pair: Pair) -> int:
    """How many keys were sent by name, to be compared."""
    return sum(len(letter.message.keys) for letter in pair.said if isinstance(letter.message, TreeKeys))


def test_d53_equal_roots_need_no_synchronisation() -> None:
    """“For instance, if the hash values of the root of two trees are equal, then the values of the leaf nodes in the
    tree are equal and the nodes require no synchronization.”
    """
    pair = _differing(2000, 0)
    pair.run()
    assert (_hashes(pair), _keys(pair), len(pair.said)) == (1, 0, 2)


@pytest.mark.parametrize("count", [500, 2000, 8000])
def test_d53_one_difference_is_found_along_one_path(count: int) -> None:
    """“The principal advantage of Merkle tree is that each branch of the tree can be checked independently without
    requiring nodes to download the entire tree or the entire data set.” One path down a tree of 256 leaves: a root, the
    branches, one branch's leaves, and one leaf's keys, twice.
    """
    pair = _differing(count, 1)
    exchanged = pair.run()
    assert _hashes(pair) == 1 + BRANCHES + LEAVES_EACH
    in_leaf = pair.n1.trees.keys(RING, (leaf_of(b"000000"),))
    assert _keys(pair) == 2 * len(in_leaf) <= count / 20
    assert (exchanged.repaired_here, exchanged.repaired_there) == (0, 1)


@pytest.mark.parametrize("differing", [1, 3, 10, 30])
def test_d53_the_cost_follows_the_differences_and_not_the_data(differing: int) -> None:
    """“Merkle trees help in reducing the amount of data that needs to be transferred while checking for inconsistencies
    among replicas.” Each difference adds at most one branch to be opened and one leaf to be listed, and what is moved
    is exactly the keys that differ.
    """
    pair = _differing(4000, differing)
    exchanged = pair.run()
    branches = {leaf_of(b"%06d" % number) // LEAVES_EACH for number in range(differing)}
    leaves = {leaf_of(b"%06d" % number) for number in range(differing)}
    assert _hashes(pair) == 1 + BRANCHES + len(branches) * LEAVES_EACH
    assert _keys(pair) == 2 * len(pair.n1.trees.keys(RING, sorted(leaves)))

    moved = [b"%06d" % number for number in range(differing)]
    assert pair.keys_of(Fetch) == pair.keys_of(Replicate) == moved
    assert sum(isinstance(letter.message, Fetched | Stored) for letter in pair.said) == 2 * differing
    assert (exchanged.repaired_here, exchanged.repaired_there) == (0, differing)
    assert pair.differing() == []


def test_d53_a_tree_for_each_range_that_two_nodes_host_in_common() -> None:
    """“Each node maintains a separate Merkle tree for each key range (the set of keys covered by a virtual node) it
    hosts. […] Two nodes exchange the root of the Merkle tree corresponding to the key ranges that they host in common.”
    What differs in a range that they do not share is neither compared nor moved.
    """
    ends = tuple(number * RING // 8 for number in range(1, 9))
    pair = Pair(ends)
    for number in range(400):
        pair.n1.replica.put(b"%06d" % number, OLD)
    shared = pair.shared = ends[2:5]
    exchanged = pair.run()
    expected = [key for end in shared for key in pair.n1.trees.keys_of(end)]
    assert 100 < len(expected) < 200
    assert (exchanged.roots, exchanged.repaired_there) == (3, len(expected))
    assert sorted(pair.n2.replica.held) == sorted(expected)


def test_d13_a_join_under_strategy_1_costs_the_trees_of_the_ranges_that_it_changes() -> None:
    """“The disadvantage with this scheme is that many key ranges change when a node joins or leaves the system thereby
    requiring the tree(s) to be recalculated.” Here without reading a single record again, and both nodes agree after.
    """
    pair = Pair((RING // 2, RING))
    for number in range(400):
        for side in (pair.n1, pair.n2):
            side.replica.put(b"%06d" % number, OLD)
    pair.n1.replica.put(b"000007", NEW)
    before = pair.n1.trees.root(RING)
    pair.shared = (RING // 4, RING // 2, RING)
    for side in (pair.n1, pair.n2):
        side.trees.laid_out(pair.shared)
    assert pair.n1.trees.root(RING) == before, "its bounds have not changed"
    exchanged = pair.run()
    assert (exchanged.roots, exchanged.differing, exchanged.repaired_there) == (3, 1, 1)
    assert pair.run().differing == 0
