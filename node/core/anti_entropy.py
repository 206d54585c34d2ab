"""Anti-entropy (Dynamo, 4.7): compare with a peer the Merkle trees of the partitions that both keep, and repair what
differs.

An exchange asks for the roots of all shared partitions at once, and descends where they differ: branches, leaves, keys.
What differs at one moment need not be missing: a write may be on its way. So the exchange waits for longer than a write
takes, looks again, and repairs only what still differs, in both directions (the idea of Riak's active anti-entropy).
The others are counted as false differences. Every step is a bounded batch that waits for its slice of background time.

Whatever goes wrong on the way ends the exchange, because there will be another one: nothing depends on any of them.
This file knows what is asked of a peer and what follows from the answers. It does not know how trees are built, how a
peer answers, nor who shares what with whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal, Protocol, TypeVar

from node.core.calls import Calls
from node.core.config import ClusterConfig
from node.core.conversations import Sleep
from node.core.detector import Detector
from node.core.exchanges import Exchanged, Exchanges
from node.core.messages import (
    Declined,
    Differs,
    Fetch,
    Fetched,
    PeerAnswer,
    PeerRequest,
    Replicate,
    RootsQuery,
    Stored,
    TreeHashes,
    TreeKeys,
    TreeQuery,
)
from node.core.store import Space
from node.core.tree_queries import AT_BRANCHES, AT_KEYS, AT_LEAVES, LEAVES_MAX, ROOTS_MAX
from node.core.trees import BRANCHES, LEAVES_EACH, Trees, leaf_of, leaves_of
from node.core.versions import Versions

PARTITIONS_MAX = 16
"""How many partitions that differ are looked into before the wait that they share."""
WINDOW = 32
"""How many keys are being repaired at a time."""
PAGE = 512
"""How many records are read at a time to build the trees."""

_MS = 1_000_000

A = TypeVar("A", bound=PeerAnswer)
T = TypeVar("T")


class Records(Protocol):
    """The records that a node keeps as one of their replicas; every change of one is told to the trees at once."""

    def replicated(self, key: bytes) -> Versions:
        """What is held of a key."""

    def merge(self, key: bytes, versions: Versions) -> None:
        """Take up what somebody else knows of a key."""

    def page(self, space: Space, after: bytes, limit: int) -> list[tuple[bytes, Versions]]:
        """The records after a name, in order of their names."""


class Background(Protocol):
    """Who decides when background work may run."""

    async def slice(self, task: Literal["anti-entropy"]) -> None:
        """Wait for the right to run one bounded batch."""


class Host(Protocol):
    """What anti-entropy needs of its node."""

    config: ClusterConfig
    trees: Trees
    detector: Detector
    exchanges: Exchanges
    rng: Random
    peer_timeout_ns: int

    @property
    def replica(self) -> Records:
        """The node's records."""

    @property
    def background(self) -> Background:
        """Who grants background time."""

    def shared(self) -> Sequence[tuple[int, str]]:
        """The end of each partition that this node keeps, with each peer that keeps it too; in a fixed order."""

    def calls(self, time_ns: int) -> Calls:
        """A set of calls that share a deadline."""


class _EndedError(Exception):
    """The exchange cannot go on; says why."""


# --- the conversations -----------------------------------------------------------------------------------------------


async def rebuild(node: Host) -> None:
    """Build the trees from the store after a start, page by page, while writes go on."""
    after = b""
    while not node.trees.ready:
        await node.background.slice("anti-entropy")
        page = node.replica.page(Space.DATA, after, PAGE)
        node.trees.rebuild_some(page)
        if page:
            after = page[-1][0]
        else:
            node.trees.ready = True


async def anti_entropy(node: Host) -> None:
    """Make an exchange with one peer after the other, for as long as the node lives."""
    period_ns = node.config.anti_entropy_ms * _MS
    if not period_ns:
        return
    turn = node.rng.getrandbits(16)
    await Sleep(1 + node.rng.randrange(period_ns))
    while True:
        shared = _by_peer(node)
        peers = list(shared)
        for step in range(len(peers) if node.trees.ready else 0):
            peer = peers[(turn + step) % len(peers)]
            if node.detector.is_up(peer):
                turn = peers.index(peer) + 1
                while (await exchange(node, peer, shared[peer])).is_unfinished:
                    pass
                break
        await Sleep(period_ns)


def _by_peer(node: Host) -> dict[str, list[int]]:
    """The ends of the partitions that are shared with each peer."""
    shared: dict[str, list[int]] = {}
    for end, peer in node.shared():
        shared.setdefault(peer, []).append(end)
    return shared


async def exchange(node: Host, peer: str, ends: Sequence[int]) -> Exchanged:
    """Compare these partitions with a peer's, and bring both to what either of them knows."""
    exchanged = Exchanged(peer)
    comparison = _Comparison(node, peer, exchanged)
    try:
        differing = await comparison.roots(ends)
        for some in _batches(differing, PARTITIONS_MAX):
            suspects = [await comparison.descend(end) for end in some]
            node.exchanges.suspected = sum(len(suspect.keys) for suspect in suspects)
            if any(suspect.keys for suspect in suspects):
                await Sleep(node.config.anti_entropy_settle_ms * _MS)
            for suspect in suspects:
                for keys in _batches(await comparison.still(suspect), WINDOW):
                    await comparison.repair(suspect.end, keys)
    except _EndedError as ended:
        exchanged.aborted = str(ended)
    node.exchanges.suspected = 0
    node.exchanges.add(exchanged)
    return exchanged


# --- its steps -------------------------------------------------------------------------------------------------------


@dataclass
class _Suspect:
    """A partition that differs: the keys that do, and their leaves."""

    end: int
    leaves: tuple[int, ...] = ()
    keys: tuple[bytes, ...] = ()


class _Comparison:
    """The steps of one exchange; each of them raises `_EndedError` when the peer does not answer as it should."""

    def __init__(self, node: Host, peer: str, exchanged: Exchanged) -> None:
        self._node = node
        self._peer = peer
        self._exchanged = exchanged

    async def roots(self, ends: Sequence[int]) -> list[int]:
        """The partitions whose roots differ."""
        differing: list[int] = []
        for some in _batches(ends, ROOTS_MAX):
            await self._node.background.slice("anti-entropy")
            theirs = await self._hashes(partial(RootsQuery, ends=tuple(some)), len(some))
            differing += _unequal(some, map(self._node.trees.root, some), theirs)
        self._exchanged.roots += len(ends)
        self._exchanged.differing += len(differing)
        return differing

    async def descend(self, end: int) -> _Suspect:
        """The keys of a partition that differ, of as many leaves as one exchange takes."""
        await self._node.background.slice("anti-entropy")
        trees = self._node.trees
        theirs = await self._hashes(partial(TreeQuery, end=end, level=AT_BRANCHES), BRANCHES)
        branches = _unequal(range(BRANCHES), trees.branches(end), theirs)
        if not branches:
            return _Suspect(end)
        ask_leaves = partial(TreeQuery, end=end, level=AT_LEAVES, places=tuple(branches))
        theirs = await self._hashes(ask_leaves, len(branches) * LEAVES_EACH)
        leaves = _unequal(leaves_of(branches), trees.leaves(end, branches), theirs)
        self._exchanged.left += max(0, len(leaves) - LEAVES_MAX)
        if not leaves:
            return _Suspect(end)
        mine, hashes = await self._keys(end, tuple(leaves[:LEAVES_MAX]))
        known = sorted({**mine, **hashes})
        self._exchanged.keys += len(known)
        keys = [key for key in known if mine.get(key) != hashes.get(key)]
        return _Suspect(end, tuple(dict.fromkeys(map(leaf_of, keys))), tuple(keys))

    async def still(self, suspect: _Suspect) -> list[tuple[bytes, int | None]]:
        """Those of the keys that still differ, each with the peer's hash, or None where the peer has no record."""
        if not suspect.keys:
            return []
        await self._node.background.slice("anti-entropy")
        mine, theirs = await self._keys(suspect.end, suspect.leaves)
        still = [(key, theirs.get(key)) for key in suspect.keys if mine.get(key) != theirs.get(key)]
        self._exchanged.false_differences += len(suspect.keys) - len(still)
        return still

    async def repair(self, end: int, keys: Sequence[tuple[bytes, int | None]]) -> None:
        """Fetch what the peer has of these keys, merge it, and send what the peer does not have of the result."""
        await self._node.background.slice("anti-entropy")
        if (end, self._peer) not in self._node.shared():
            raise _EndedError(f"the partition that ends at {end} is no longer shared with {self._peer}")
        trees, replica, time_ns = self._node.trees, self._node.replica, self._node.peer_timeout_ns

        def merge(key: bytes, fetched: Fetched) -> None:
            before = trees.hash_of(key)
            replica.merge(key, fetched.versions)
            self._exchanged.repaired_here += trees.hash_of(key) != before

        def stored(_key: bytes, stored: Stored) -> None:
            self._exchanged.repaired_there += stored.news

        here = {key: partial(Fetch, key=key, remaining_ns=time_ns) for key, theirs in keys if theirs is not None}
        await self._ask_all(here, Fetched, merge)
        there = {
            key: partial(Replicate, key=key, versions=replica.replicated(key), hint_for=None, remaining_ns=time_ns)
            for key, theirs in keys
            if trees.hash_of(key) not in (None, theirs)
        }
        await self._ask_all(there, Stored, stored)

    async def _hashes(self, request: Callable[[int], PeerRequest], count: int) -> tuple[int, ...]:
        """Ask for so many hashes."""
        said = await self._ask(request, TreeHashes)
        if not said.ready:
            raise _EndedError(_complaint(self._peer, said))
        if len(said.hashes) != count:
            raise _EndedError(f"{self._peer} gave {len(said.hashes)} hashes where there are {count}")
        return said.hashes

    async def _keys(self, end: int, leaves: tuple[int, ...]) -> tuple[dict[bytes, int], dict[bytes, int]]:
        """The keys of these leaves and their hashes, here and at the peer."""
        said = await self._ask(partial(TreeQuery, end=end, level=AT_KEYS, places=leaves), TreeKeys)
        return dict(self._node.trees.keys(end, leaves)), dict(said.keys)

    async def _ask(self, request: Callable[[int], PeerRequest], kind: type[A]) -> A:
        """Ask one thing."""
        said: list[A] = []
        await self._ask_all({b"": request}, kind, lambda _, message: said.append(message))
        return said[0]

    async def _ask_all(
        self, requests: Mapping[bytes, Callable[[int], PeerRequest]], kind: type[A], heed: Callable[[bytes, A], None]
    ) -> None:
        """Ask something of each key, and heed the answers as they come, also where one of them is amiss."""
        calls = self._node.calls(self._node.peer_timeout_ns * 2)
        asked = {calls.ask(self._peer, request): key for key, request in requests.items()}
        amiss = ""
        while (answer := await calls.next()) is not None:
            key = asked.pop(answer.call)
            if isinstance(answer.message, kind):
                heed(key, answer.message)
            else:
                amiss = _complaint(self._peer, answer.message)
        calls.close()
        if amiss or asked:
            raise _EndedError(amiss or _complaint(self._peer, None))


def _complaint(peer: str, message: PeerAnswer | None) -> str:
    """What is wrong with this answer, as a sentence."""
    match message:
        case None:
            return f"{peer} did not answer"
        case Declined():
            return f"{peer} declined: {message.text}"
        case Differs():
            return f"{peer} knows another ring"
        case TreeHashes():
            return f"{peer} is still building its trees"
    return f"{peer} answered another question: {type(message).__name__}"


def _unequal(places: Iterable[int], mine: Iterable[int], theirs: Iterable[int]) -> list[int]:
    """The places where the hashes differ."""
    return [place for place, one, other in zip(places, mine, theirs, strict=True) if one != other]


def _batches(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """All of them, so many at a time."""
    return (items[first : first + most] for first in range(0, len(items), most))
