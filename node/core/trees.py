"""Keep the Merkle trees of one node: a tree for each partition, so that two nodes can compare what they hold of it
without sending it (Dynamo, 4.7).

All trees have one shape: 16 branches with 16 leaves each. Which leaf a key falls in follows from the end of its MD5,
which the partitions, cut by its beginning, do not use: the keys of the smallest partition still spread over all leaves.
A key's hash covers its clock and the dots of its siblings, and not its values, because a dot names one value. The
hashes of a leaf are combined by exclusive or, in no order, so that a change costs the same in a leaf of any size;
branches and root are computed when somebody asks, and kept until something under them changes.

A partition is named by its end, which is the first position that is no longer in it. This file knows keys and their
hashes. It does not know stores, nodes or who shares what with whom.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain, pairwise

import msgspec

from node.core.ring import POSITION_BITS, RING_BITS, position
from node.core.versions import Versions

BRANCHES = 16
LEAVES_EACH = 16
LEAVES = BRANCHES * LEAVES_EACH

HASH_BYTES = 8

_encode = msgspec.msgpack.Encoder().encode
_pack = struct.Struct(f">{LEAVES_EACH}Q").pack


def key_hash(key: bytes, versions: Versions) -> int:
    """What tells two nodes whether they know the same of a key; 64 bits."""
    dots = sorted([sibling.dot for sibling in versions.siblings])
    return _hash(_encode((key, versions.clock, dots)))


def _hash(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=HASH_BYTES).digest(), "big")


def _located(key: bytes) -> tuple[int, int]:
    """A key's place on the ring, in as many bits as partitions are bounded by, and its leaf, from the other end."""
    whole = position(key)
    return whole >> POSITION_BITS - RING_BITS, whole % LEAVES


def leaf_of(key: bytes) -> int:
    """Which leaf of its partition's tree a key falls in."""
    return _located(key)[1]


class _Tree:
    """The tree of one partition: the hashes of the keys of each leaf that has any, and what follows from them."""

    __slots__ = ("_branches", "_root", "count", "keys", "leaves")

    def __init__(self) -> None:
        self.count = 0
        self.keys: dict[int, dict[bytes, int]] = {}
        self.leaves = [0] * LEAVES
        self._branches: list[int | None] = [None] * BRANCHES
        self._root: int | None = None

    def put(self, leaf: int, key: bytes, hashed: int) -> None:
        """Set the hash of a key."""
        keys = self.keys.get(leaf)
        if keys is None:
            keys = self.keys[leaf] = {}
        old = keys.get(key)
        keys[key] = hashed
        if old is None:
            self.count += 1
            self._changed(leaf, hashed)
        elif old != hashed:
            self._changed(leaf, old ^ hashed)

    def drop(self, leaf: int, key: bytes) -> None:
        """Forget a key, if it is here."""
        keys = self.keys.get(leaf, {})
        old = keys.pop(key, None)
        if old is not None:
            self.count -= 1
            self._changed(leaf, old)

    def _changed(self, leaf: int, by: int) -> None:
        self.leaves[leaf] ^= by
        self._branches[leaf // LEAVES_EACH] = None
        self._root = None

    def branch(self, place: int) -> int:
        """The hash of a branch."""
        hashed = self._branches[place]
        if hashed is None:
            first = place * LEAVES_EACH
            hashed = self._branches[place] = _hash(_pack(*self.leaves[first : first + LEAVES_EACH]))
        return hashed

    def root(self) -> int:
        """The hash of all."""
        if self._root is None:
            self._root = _hash(_pack(*map(self.branch, range(BRANCHES))))
        return self._root


_EMPTY = _Tree()
"""The tree of a partition without keys; nothing is ever put into it."""


class Trees:
    """The trees of all partitions of the ring that one node has keys of.

    `ready` says that they cover all that the node holds. After a start they do not, until `rebuild_some` has seen every
    record of the store.
    """

    def __init__(self, ends: tuple[int, ...]) -> None:
        self._ends: tuple[int, ...] = ()
        self._starts: dict[int, int] = {}
        self._trees: dict[int, _Tree] = {}
        self.ready = False
        self.laid_out(ends)

    # --- changes ---

    def update(self, key: bytes, versions: Versions | None) -> None:
        """A key has these versions now; None says that its record is gone, values, clock and all."""
        place, leaf = _located(key)
        end = self._end(place)
        if versions is not None:
            self._put(end, leaf, key, key_hash(key, versions))
        elif (tree := self._trees.get(end)) is not None:
            tree.drop(leaf, key)
            if not tree.count:
                del self._trees[end]

    def rebuild_some(self, page: Iterable[tuple[bytes, Versions]]) -> None:
        """Take up records as they lie in the store, in pages and in any order.

        A key that is here already has been updated meanwhile, which is at least as new as the page.
        """
        for key, versions in page:
            if self.hash_of(key) is None:
                self.update(key, versions)

    def laid_out(self, ends: tuple[int, ...]) -> None:
        """Cut the ring at these ends, ascending; only keys of partitions whose bounds change are moved."""
        assert ends, "a ring has at least one partition"
        assert all(one < two for one, two in pairwise(ends)), "ends ascend"
        starts = dict(zip(ends, (ends[-1], *ends[:-1]), strict=True))
        changed = [end for end in self._trees if starts.get(end) != self._starts[end]]
        self._ends, self._starts = ends, starts
        for tree in [self._trees.pop(end) for end in changed]:
            for leaf, keys in tree.keys.items():
                for key, hashed in keys.items():
                    self._put(self._end(_located(key)[0]), leaf, key, hashed)

    def _put(self, end: int, leaf: int, key: bytes, hashed: int) -> None:
        tree = self._trees.get(end)
        if tree is None:
            tree = self._trees[end] = _Tree()
        tree.put(leaf, key, hashed)

    def _end(self, place: int) -> int:
        """The end of the partition that a position is in; past the last end, the ring begins again."""
        return self._ends[bisect_right(self._ends, place) % len(self._ends)]

    # --- questions ---

    def __contains__(self, end: int) -> bool:
        """Whether a partition ends there, with keys or without."""
        return end in self._starts

    def hash_of(self, key: bytes) -> int | None:
        """The hash of a key, or None when there is no record of it."""
        place, leaf = _located(key)
        return self._tree(self._end(place)).keys.get(leaf, {}).get(key)

    def root(self, end: int) -> int:
        """The hash of a whole partition."""
        return self._tree(end).root()

    def branches(self, end: int) -> tuple[int, ...]:
        """The hashes of the branches."""
        return tuple(map(self._tree(end).branch, range(BRANCHES)))

    def leaves(self, end: int, branches: Sequence[int]) -> tuple[int, ...]:
        """The hashes of the leaves of these branches, one branch after the other."""
        leaves = self._tree(end).leaves
        return tuple(leaves[leaf] for leaf in leaves_of(branches))

    def keys(self, end: int, leaves: Sequence[int]) -> tuple[tuple[bytes, int], ...]:
        """The keys of these leaves with their hashes, in order within each leaf."""
        keys = self._tree(end).keys
        return tuple(chain.from_iterable(sorted(keys.get(leaf, {}).items()) for leaf in leaves))

    def keys_of(self, end: int) -> Iterator[bytes]:
        """All keys that a partition has just now, in order; what changes while they are read does not disturb."""
        return iter(sorted(chain.from_iterable(self._tree(end).keys.values())))

    def count(self, end: int) -> int:
        """How many keys a partition has."""
        return self._tree(end).count

    def partitions_held(self) -> tuple[int, ...]:
        """The ends of the partitions that have at least one key, ascending."""
        return tuple(sorted(self._trees))

    def _tree(self, end: int) -> _Tree:
        return self._trees.get(end, _EMPTY)


def leaves_of(branches: Iterable[int]) -> list[int]:
    """The leaves of these branches, one branch after the other."""
    return [branch * LEAVES_EACH + each for branch in branches for each in range(LEAVES_EACH)]
