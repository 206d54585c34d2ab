"""What a node answers to a peer that compares trees with it."""

from __future__ import annotations

import pytest

from node.core.messages import Declined, RootsQuery, TreeHashes, TreeKeys, TreeQuery
from node.core.tree_queries import LEAVES_MAX, ROOTS_MAX, answer
from node.core.trees import BRANCHES, Trees, key_hash, leaf_of
from tests.node.core.pair import QUARTERS, RING, version


def _filled() -> Trees:
    trees = Trees(QUARTERS)
    trees.rebuild_some((b"%04d" % number, version("x")) for number in range(200))
    trees.ready = True
    return trees


def test_queries_are_answered_level_by_level() -> None:
    """Roots of many partitions, or one partition's root, branches, leaves of branches, and keys of leaves."""
    trees = _filled()
    end = QUARTERS[1]
    assert answer(trees, RootsQuery(1, QUARTERS)) == TreeHashes(1, tuple(trees.root(each) for each in QUARTERS))
    assert answer(trees, TreeQuery(2, end, 0)) == TreeHashes(2, (trees.root(end),))
    assert answer(trees, TreeQuery(3, end, 1)) == TreeHashes(3, trees.branches(end))
    leaves = trees.leaves(end, (5, 2))
    assert answer(trees, TreeQuery(4, end, 2, (5, 2))) == TreeHashes(4, leaves)
    assert leaves == trees.leaves(end, range(BRANCHES))[80:96] + trees.leaves(end, range(BRANCHES))[32:48]
    key = next(trees.keys_of(end))
    assert answer(trees, TreeQuery(5, end, 3, (leaf_of(key),))) == TreeKeys(5, trees.keys(end, (leaf_of(key),)))
    assert (key, key_hash(key, version("x"))) in trees.keys(end, (leaf_of(key),))


def test_trees_that_are_being_built_say_so() -> None:
    """At every level, because half a tree would look as if keys were missing."""
    trees = _filled()
    trees.ready = False
    for query in (RootsQuery(1, QUARTERS), TreeQuery(1, RING, 1), TreeQuery(1, RING, 3, (4,))):
        assert answer(trees, query) == TreeHashes(1, (), ready=False)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (RootsQuery(1, (RING, 5)), "no partition ends at 5 here"),
        (RootsQuery(1, (RING,) * (ROOTS_MAX + 1)), "513 roots are asked for; a query can have up to 512"),
        (TreeQuery(1, 5, 1), "no partition ends at 5 here"),
        (TreeQuery(1, RING, 4), "the level is 4; it can be 0 to 3"),
        (TreeQuery(1, RING, 2, (3, 16)), "there is no place 16; at level 2 they are 0 to 15"),
        (TreeQuery(1, RING, 3, (-1,)), "there is no place -1; at level 3 they are 0 to 255"),
        (
            TreeQuery(1, RING, 3, tuple(range(LEAVES_MAX + 1))),
            "65 places are asked for; at level 3 there can be up to 64",
        ),
    ],
)
def test_a_query_that_cannot_be_answered_is_declined(query: RootsQuery | TreeQuery, text: str) -> None:
    """In one line that says what was asked and what would have been right."""
    trees = _filled()
    assert answer(trees, query) == Declined(1, text)
