"""Move seats (Dynamo, 4.9): what a partition's giver keeps is offered to its taker, confirmed, and handed over once.

While a seat moves, its giver answers reads, and both get every write. The giver hands over what it keeps, and again
what has changed meanwhile; at the moment when nothing is left the taker has all that the giver has, and that the seat
has passed on becomes a fact. Whoever of the two is restarted on the way goes on with what the taker lacks.

When a giver is marked down, the taker gathers what those keep who sit beside it. And what a node still keeps where it
no longer sits is deleted when everybody who sits there has it, and not before.

This file knows what has to be moved and in which order. It does not know why the ring is as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from node.core.calls import CORRECTIONS, Answer
from node.core.changes import Move
from node.core.conversations import Sleep
from node.core.messages import (
    Accepted,
    Batch,
    Differs,
    Entry,
    Fetch,
    Fetched,
    Offer,
    PeerRequest,
    Stored,
    TreeKeys,
    TreeQuery,
)
from node.core.tree_queries import AT_KEYS
from node.core.trees import BRANCHES, leaves_of

if TYPE_CHECKING:
    from node.core.node import Node
    from node.core.ring import Place

BATCH_KEYS = 128
BATCH_BYTES = 1 << 20
"""A batch ends when it has so many keys, or values of so many bytes."""

ROUNDS = 64
"""How many more batches are sent because of what is written meanwhile; then it is the turn of other partitions."""

WINDOW = 32
"""How many keys are fetched at a time; with the largest objects they fit into what may wait in a connection."""


@dataclass
class Giving:
    """One seat on its way from this node: the keys still to be sent, and how many there were and were sent."""

    move: Move
    state: str = "offered"
    keys: int = 0
    sent: int = 0
    left: dict[bytes, None] = field(default_factory=dict)


async def move_seats(node: Node) -> None:
    """Do whatever is to be moved by this node, one partition after the other, until there is nothing."""
    while due := works(node):
        progress = False
        for work, place in due:
            progress = await work(node, place) or progress
        if not progress:
            await Sleep(node.config.hint_retry_ms * 1_000_000)
    node.seats.moved()


Work = Callable[["Node", "Place"], Coroutine[Any, Any, bool]]


def works(node: Node) -> list[tuple[Work, Place]]:
    """What this node has to do, where."""
    due: list[tuple[Work, Place]] = []
    for place in node.ring.places:
        move = place.move
        if move is not None and move.giver == node.id:
            due.append((give, place))
        elif move is not None and move.taker == node.id and move.giver in node.ring.down:
            due.append((gather, place))
        elif move is None and node.id not in place.seats and node.trees.count(place.end):
            due.append((clear, place))
    return due


# --- give ------------------------------------------------------------------------------------------------------------


async def give(node: Node, place: Place) -> bool:
    """Hand a seat over; returns whether it has passed on."""
    move = place.move
    assert move is not None, "there is nothing to give"
    if not node.trees.ready or not node.detector.is_up(move.taker):
        return False
    giving = node.seats.giving[move.end] = Giving(move)
    try:
        answer = await _asked(node, move.taker, partial(Offer, move=move))
        if answer is None or not isinstance(answer.message, Accepted):
            return False
        lacking = await lacks(node, move.taker, move.end)
        if lacking is None:
            return False
        giving.state, giving.keys = "sending", node.trees.count(move.end)
        giving.left.update(dict.fromkeys(lacking))
        for _ in range(len(giving.left) // BATCH_KEYS + ROUNDS):
            if giving.left and not await _send_some(node, giving):
                return False
        return node.seats.pass_on(giving)
    finally:
        if node.seats.giving.get(move.end) is giving:
            del node.seats.giving[move.end]


async def _send_some(node: Node, giving: Giving) -> bool:
    """Send one batch of what is left; returns whether it arrived."""
    await node.background.slice("transfers")
    if not node.ring.due(giving.move):
        return False
    keys = list(giving.left)[:BATCH_KEYS]
    entries = batch(node, keys)
    for entry in entries:
        del giving.left[entry.key]
    answer = await _asked(node, giving.move.taker, partial(Batch, entries=entries))
    if answer is None or not isinstance(answer.message, Stored):
        return False
    giving.sent += len(entries)
    return True


def batch(node: Node, keys: list[bytes]) -> tuple[Entry, ...]:
    """What is kept of the first of these keys, as many as make a batch."""
    entries: list[Entry] = []
    total = 0
    for key in keys:
        versions = node.replica.replicated(key)
        total += sum(len(sibling.value) for sibling in versions.siblings)
        if entries and total > BATCH_BYTES:
            break
        entries.append(Entry(key, versions))
    return tuple(entries)


# --- gather ----------------------------------------------------------------------------------------------------------


async def gather(node: Node, place: Place) -> bool:
    """Take over the seat of a node that is marked down, with what the others keep; returns whether that is done.

    Others may come while it goes on, such as one that was marked down as well and is back: then it begins again.
    """
    move = place.move
    assert move is not None, "there is nothing to take"
    others = _beside(node, move)
    if not node.trees.ready or not all(map(node.detector.is_up, others)):
        return False
    for other in others:
        if not await _gather_from(node, other, move.end):
            return False
    return _beside(node, move) == others and node.seats.take_over(move)


def _beside(node: Node, move: Move) -> list[str]:
    """Who sits beside a seat that is gathered, and is not gone as well."""
    place = node.ring.ending(move.end)
    gone = (move.giver, node.id, *node.ring.down)
    return [name for name in place.seats if name not in gone] if place is not None else []


async def _gather_from(node: Node, other: str, end: int) -> bool:
    theirs = await _keys_of(node, other, end)
    if theirs is None:
        return False
    behind = [key for key, hashed in theirs.items() if node.trees.hash_of(key) != hashed]
    for first in range(0, len(behind), WINDOW):
        await node.background.slice("transfers")
        calls = node.calls(node.peer_timeout_ns * 2)
        asked: dict[int, bytes] = {}
        for key in behind[first : first + WINDOW]:

            def request(call: int, key: bytes = key) -> Fetch:
                return Fetch(call, key, node.peer_timeout_ns)

            asked[calls.ask(other, request)] = key
        while (answer := await calls.next()) is not None:
            if isinstance(answer.message, Fetched):
                node.replica.merge(asked.pop(answer.call), answer.message.versions)
        calls.close()
        if asked:
            return False
    return True


# --- clear -----------------------------------------------------------------------------------------------------------


async def clear(node: Node, place: Place) -> bool:
    """Delete what is kept here of a partition that this node has no seat in, once all who sit there have it."""
    kept = {key: node.trees.hash_of(key) for key in node.trees.keys_of(place.end)}
    if not node.trees.ready or not all(map(node.detector.is_up, place.seats)):
        return False
    for holder in place.seats:
        if not await _bring(node, holder, place.end):
            return False
    now = node.ring.ending(place.end)
    if now is None or (now.start, now.seats, now.move) != (place.start, place.seats, place.move):
        return True
    for key, hashed in kept.items():
        if node.trees.hash_of(key) == hashed and node.id not in node.ring.at(key).keepers:
            node.replica.drop(key)
    return True


async def _bring(node: Node, holder: str, end: int) -> bool:
    """Bring a holder what it lacks of what is kept here; returns whether it has everything now."""
    lacking = await lacks(node, holder, end)
    while lacking:
        await node.background.slice("transfers")
        entries = batch(node, lacking[:BATCH_KEYS])
        answer = await _asked(node, holder, partial(Batch, entries=entries))
        if answer is None or not isinstance(answer.message, Stored):
            return False
        del lacking[: len(entries)]
    return lacking is not None


# --- what one lacks --------------------------------------------------------------------------------------------------


async def lacks(node: Node, peer: str, end: int) -> list[bytes] | None:
    """The keys of a partition of which the peer does not know what is known here, or None when it does not say.

    It may know more of some of them: hashes do not tell who is behind, and merging what is known already is harmless.
    """
    theirs = await _keys_of(node, peer, end)
    if theirs is None:
        return None
    return [key for key in node.trees.keys_of(end) if theirs.get(key) != node.trees.hash_of(key)]


async def _keys_of(node: Node, peer: str, end: int) -> dict[bytes, int] | None:
    """What a peer keeps of a partition, by the hashes of its tree, or None when it does not say."""
    theirs: dict[bytes, int] = {}
    for branch in range(BRANCHES):
        leaves = tuple(leaves_of((branch,)))
        answer = await _asked(node, peer, partial(TreeQuery, end=end, level=AT_KEYS, places=leaves))
        if answer is None or not isinstance(answer.message, TreeKeys):
            return None
        theirs.update(answer.message.keys)
    return theirs


async def _asked(node: Node, peer: str, request: Callable[[int], PeerRequest]) -> Answer | None:
    """Ask a peer one thing; again when it knew another ring, which both know by then."""
    for _ in range(CORRECTIONS):
        calls = node.calls(node.peer_timeout_ns * 2)
        calls.ask(peer, request)
        answer = await calls.next()
        calls.close()
        if answer is None or not isinstance(answer.message, Differs):
            return answer
    return answer
