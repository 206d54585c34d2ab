"""How often a node may have had to send a key of a seat that it gave away: once, and once for each put meanwhile.

What is written while a seat passes on is sent again (Dynamo, 4.9), and nothing else is. A put is a reason if it was of
that partition and may have arrived at the giver after the transfer had begun. Nobody writes down when that was, so it
is bounded: before the first fault of a run every replica has every write soon, and when somebody answers in the name of
the ring that is known at the end, all that has passed on has passed on. Where a disk was lost, what was on it arrives a
second time, and every put is a reason.

This file knows transfers as nodes report them, and where a key lies. It does not know who keeps it. For each transfer
that sent more than there was, one pass over the puts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from checkers.causality import PUT
from checkers.episodes import episodes, wiped_nodes
from checkers.evidence import counted, shown
from checkers.history import History, Operation, Outcome, RingTold, Sent
from checkers.verdict import Finding

DONE = "done"
"""The state of a transfer whose seat has passed on."""

_OF_A_DISK = "disk-"
_SPARE_BITS = 128 - 63
"""Bounds are 63 bits long, and a key's MD5 is 128."""
_ARRIVED_NS = 2_000_000_000
"""How long after a put has succeeded it may still be on its way to a replica that nothing is wrong with."""


_NEVER_NS = 1 << 62


def sent_again(history: History, told: RingTold) -> Iterator[Finding]:
    """Find the seats of which this node sent more than it had reason to."""
    for sent in told.transfers:
        if sent.sent > sent.keys:
            reasons = _reasons(history, told, sent)
            if sent.sent > sent.keys + reasons:
                yield _finding(sent, reasons)


def _reasons(history: History, told: RingTold, sent: Sent) -> int:
    """How many puts there were for which a key of that seat may have been sent again."""
    since, until = _first_trouble(history), _over(history, told) if sent.state == DONE else told.at
    return sum(
        operation.invoked.f == PUT
        and operation.invoked.at <= until
        and _arrived(operation) >= since
        and lies_in(operation.invoked.key, sent)
        for operation in history.operations
    )


def _first_trouble(history: History) -> int:
    """Until when every replica had got every write soon; the beginning where one had to get all of them again."""
    found = episodes(history)
    if wiped_nodes(history) or any(episode.name.startswith(_OF_A_DISK) for episode in found):
        return 0
    return min((episode.requested_at or 0 for episode in found), default=0)


def _over(history: History, told: RingTold) -> int:
    """When all seats that have passed on had done so, at the latest: somebody knew the ring in which they have."""
    known = (
        operation.completed.at
        for operation in history.operations
        if operation.completed is not None and operation.completed.ring == told.ring
    )
    return min(known, default=told.at)


def _arrived(operation: Operation) -> int:
    """When a put had come to all of its replicas, if nothing was wrong with them."""
    ended = operation.completed
    return ended.at + _ARRIVED_NS if ended is not None and ended.outcome is Outcome.OK else _NEVER_NS


def lies_in(key: str, sent: Sent) -> bool:
    """Whether a key is of the partition of that seat, as far as its bounds were told."""
    return sent.bounds is None or sent.bounds[0] <= _position(key) < sent.bounds[1]


@lru_cache(maxsize=4096)
def _position(key: str) -> int:
    digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big") >> _SPARE_BITS


def _finding(sent: Sent, reasons: int) -> Finding:
    return Finding(
        kind="sent-twice",
        summary=f"{sent.giver} sent {sent.sent} keys of seat {shown(sent.seat)} to {sent.taker}, which has {sent.keys}",
        nodes=(sent.giver, sent.taker),
        evidence=(f"there were {counted(reasons, 'put')} for which it may have had to send one again",),
    )
