"""Answer a peer that compares its Merkle trees with those of this node (Dynamo, 4.7).

A pure function of the trees and the query, and the bounds of what may be asked. This file does not know why the peer
asks, nor what it does with the answer.
"""

from __future__ import annotations

from node.core.messages import Declined, RootsQuery, TreeHashes, TreeKeys, TreeQuery
from node.core.trees import BRANCHES, LEAVES, Trees

ROOTS_MAX = 512
"""How many roots may be asked for in one message."""
LEAVES_MAX = 64
"""The keys of how many leaves may be asked for in one message."""

AT_ROOT, AT_BRANCHES, AT_LEAVES, AT_KEYS = range(4)
"""The levels of a query."""


def answer(trees: Trees, query: RootsQuery | TreeQuery) -> TreeHashes | TreeKeys | Declined:
    """The hashes or keys that are asked for; trees that do not cover everything yet say so."""
    complaint = _complaint_of_roots(trees, query) if type(query) is RootsQuery else _complaint(trees, query)
    if complaint:
        return Declined(query.call, complaint)
    if not trees.ready:
        return TreeHashes(query.call, (), ready=False)
    if type(query) is RootsQuery:
        return TreeHashes(query.call, tuple(map(trees.root, query.ends)))
    if query.level == AT_KEYS:
        return TreeKeys(query.call, trees.keys(query.end, query.places))
    return TreeHashes(query.call, _hashes(trees, query))


def _hashes(trees: Trees, query: TreeQuery) -> tuple[int, ...]:
    if query.level == AT_ROOT:
        return (trees.root(query.end),)
    if query.level == AT_BRANCHES:
        return trees.branches(query.end)
    return trees.leaves(query.end, query.places)


def _complaint_of_roots(trees: Trees, query: RootsQuery) -> str:
    """Why the query has no answer, as a sentence; empty when it has one."""
    if len(query.ends) > ROOTS_MAX:
        return f"{len(query.ends)} roots are asked for; a query can have up to {ROOTS_MAX}"
    return next((_stranger(end) for end in query.ends if end not in trees), "")


def _complaint(trees: Trees, query: TreeQuery) -> str:
    """Why the query has no answer, as a sentence; empty when it has one."""
    level, places = query.level, query.places
    if query.end not in trees:
        return _stranger(query.end)
    if not AT_ROOT <= level <= AT_KEYS:
        return f"the level is {level}; it can be {AT_ROOT} to {AT_KEYS}"
    most, below = (LEAVES_MAX, LEAVES) if level == AT_KEYS else (BRANCHES, BRANCHES)
    if len(places) > most:
        return f"{len(places)} places are asked for; at level {level} there can be up to {most}"
    strange = next((place for place in places if not 0 <= place < below), None)
    return "" if strange is None else f"there is no place {strange}; at level {level} they are 0 to {below - 1}"


def _stranger(end: int) -> str:
    return f"no partition ends at {end} here"
