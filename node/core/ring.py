"""The ring: who keeps which keys now, who is to keep them, and what has to move between the two.

It is a pure function of the cluster's configuration and of the history, so whoever knows the same knows the same ring.
The changes say how the ring is to be (`Layout`). Each partition has N seats, and who sits in them follows from the
switches: a seat passes on when its giver has handed over all that it kept there, and not before (Dynamo, 4.9). In one
partition one seat moves at a time. So of what is acknowledged by W of the nodes before a switch, and by W of those
after it, every R of either know: a switch takes no quorum apart.

This file knows who is a member, and who has been marked down. It does not know who answers.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from node.core.changes import DOWN, JOIN, LEAVE, REPLACE, UP, Change, History, Move, Switch
from node.core.config import CAPACITY_MAX, ClusterConfig
from node.core.placement import Layout, found

POSITION_BITS = 128
"""MD5 yields 128-bit positions (Dynamo, 4.3)."""

RING_BITS = 63
"""Partitions are bounded by the first of these bits: also the end of the ring must fit in a message."""

KEYS_REMEMBERED = 4096
"""How many keys' positions are kept, because each request looks its key up several times."""

RINGS_REMEMBERED = 64

CHANGES_A_STEP = 16
"""How many changes are followed from one remembered state to the next: a history may be longer than a stack is deep."""


@lru_cache(maxsize=KEYS_REMEMBERED)
def position(key: bytes) -> int:
    """Where a key lies on the ring: its MD5 as an integer of 128 bits."""
    return int.from_bytes(hashlib.md5(key, usedforsecurity=False).digest(), "big")


class Place(NamedTuple):
    """One partition, [start, end) of 63-bit positions: who sits in its seats, and what is to happen to one of them."""

    start: int
    end: int
    seats: tuple[str, ...]
    wanted: tuple[str, ...]
    """Who is to sit here, in the order in which they are responsible."""
    move: Move | None
    target: Layout
    number: int

    @property
    def keepers(self) -> tuple[str, ...]:
        """Everybody who is to get every write: those who sit here, and who is about to."""
        return self.seats if self.move is None else (*self.seats, self.move.taker)

    @property
    def after(self) -> tuple[str, ...]:
        """Who sits here when the move is done."""
        move = self.move
        if move is None:
            return self.seats
        return (*self.seats[: move.seat], move.taker, *self.seats[move.seat + 1 :])

    @property
    def preference(self) -> tuple[str, ...]:
        """The preference list: those who sit here, then everybody else in order (Dynamo, 4.6)."""
        return tuple(dict.fromkeys(self.seats + self.target.preference_list(self.number)))


class Ring:
    """The ring that follows from a history. `target` is how it is to be, `down` are those marked so."""

    def __init__(self, config: ClusterConfig, history: History) -> None:
        self.history = history
        self.digest = history.digest
        self.target, self.down = _ordered(config, history.changes)
        self.members = tuple(self.target.members)
        self.places = _places(config, self.target, history.switches)
        self.ends = tuple(place.end for place in self.places)
        self.moves = tuple(place.move for place in self.places if place.move is not None)

    def at(self, key: bytes) -> Place:
        """The partition of a key."""
        return self.places[bisect_right(self.ends, position(key) >> POSITION_BITS - RING_BITS)]

    def ending(self, end: int) -> Place | None:
        """The partition that ends there, if there is one."""
        index = bisect_left(self.ends, end)
        return self.places[index] if index < len(self.ends) and self.ends[index] == end else None

    def holding(self, end: int) -> tuple[str, ...]:
        """Who keeps the partition that ends there; nobody where there is none."""
        place = self.ending(end)
        return () if place is None else place.keepers

    def is_member(self, node: str) -> bool:
        """Whether the node is to be part of the ring; one that leaves is not, though it may still sit somewhere."""
        return node in self.target.members

    @property
    def keeping(self) -> dict[str, int]:
        """How many seats each node sits in now."""
        return _counted(seat for place in self.places for seat in place.seats)

    @property
    def to_keep(self) -> dict[str, int]:
        """How many seats each node will sit in when all moves are done."""
        return _counted(seat for place in self.places for seat in place.wanted)

    def due(self, move: Move) -> bool:
        """Whether this move is still to be done."""
        place = self.ending(move.end)
        return place is not None and place.move == move


@lru_cache(maxsize=RINGS_REMEMBERED)
def ring_of(config: ClusterConfig, history: History) -> Ring:
    """The ring of a history; remembered, because many nodes of one simulation know the same."""
    return Ring(config, history)


@lru_cache(maxsize=RINGS_REMEMBERED)
def _founded(config: ClusterConfig) -> Layout:
    return found(config.founders, strategy=config.strategy, partitions=config.partitions, tokens=config.tokens)


Order = tuple[Layout, tuple[str, ...]]
"""How the ring is to be, and who is marked down."""


@lru_cache(maxsize=RINGS_REMEMBERED)
def _ordered(config: ClusterConfig, changes: tuple[Change, ...]) -> Order:
    """How the ring is to be after these changes, and who is marked down. Remembered some changes at a time."""
    if not changes:
        return _founded(config), ()
    known = (len(changes) - 1) // CHANGES_A_STEP * CHANGES_A_STEP
    order = _ordered(config, changes[:known])
    for change in changes[known:]:
        order = _followed(order, change)
    return order


def _followed(order: Order, change: Change) -> Order:
    """What one more change makes of it.

    A change that makes no sense where it stands in the order, such as a second join of one node, is as good as none:
    two operators may have given one order at once. Who is replaced is as good as marked down.
    """
    layout, down = order
    node, member, known = change.node, change.member, layout.members
    if member is not None and not 1 <= member.capacity <= CAPACITY_MAX:
        member = None
    if change.operation == JOIN and member is not None and member.node == node and node not in known:
        layout, down = layout.joined(member, change.id), _without(down, node)
    elif change.operation == LEAVE and node in known and len(known) > 1:
        layout = layout.left(node, change.id)
    elif change.operation == REPLACE and member is not None and node in known and member.node not in known:
        layout = layout.replaced(node, member, change.id)
        down = (*_without(_without(down, node), member.node), node)
    elif change.operation == DOWN and node in known and node not in down:
        down = (*down, node)
    elif change.operation == UP:
        down = _without(down, node)
    return layout, down


def _places(config: ClusterConfig, target: Layout, switches: tuple[Switch, ...]) -> tuple[Place, ...]:
    """Every partition, with its seats as the switches have left them."""
    laid_out, ends = _ends(target), _cuts(target, switches)
    seats = _seats(config, ends, switches)
    places: list[Place] = []
    start = 0
    for sat, end in zip(seats, ends, strict=True):
        index = bisect_left(laid_out, end)
        wanted = target.replicas(index, config.n)
        sitting = tuple(node for _, node in sat)
        move = _move(start, end, sat, wanted)
        places.append(Place(start, end, sitting, wanted, move, target, index))
        start = end
    return tuple(places)


Versioned = tuple[int, str]
"""Who sits in a seat, after how many switches."""


def _cuts(target: Layout, switches: tuple[Switch, ...]) -> tuple[int, ...]:
    """The ends of all partitions: as they are laid out, and at both ends of whatever has been switched.

    The second differ from the first where a change is as good as none by which something was switched (strategy 1).
    """
    ends = _ends(target)
    bounds = [bound for switch in switches for bound in (switch.start, switch.end) if 0 < bound < ends[-1]]
    return tuple(sorted(dict.fromkeys((*ends, *bounds)))) if bounds else ends


def _seats(config: ClusterConfig, ends: tuple[int, ...], switches: tuple[Switch, ...]) -> list[list[Versioned]]:
    """Who sits where: as it was when the cluster was founded, but for what has been switched.

    Where a later token has cut a partition in two (strategy 1), what was switched before holds for both parts.
    """
    founded = _founded(config)
    founded_ends = _ends(founded)
    first = [founded.replicas(bisect_left(founded_ends, end), config.n) for end in ends]
    seats: list[list[Versioned]] = [[(0, node) for node in nodes] for nodes in first]
    for switch in switches:
        if not 0 <= switch.start < switch.end <= ends[-1]:
            continue
        for index in range(bisect_right(ends, switch.start), bisect_left(ends, switch.end) + 1):
            sitting = seats[index]
            if 0 <= switch.seat < len(sitting):
                sitting[switch.seat] = max(sitting[switch.seat], (switch.version, switch.node))
    return seats


def _move(start: int, end: int, sitting: list[Versioned], wanted: tuple[str, ...]) -> Move | None:
    """The first seat that is to pass on, and to whom: its node is not to sit here, or sits here twice."""
    nodes = [node for _, node in sitting]
    coming = [node for node in wanted if node not in nodes]
    if not coming:
        return None
    for seat, (version, node) in enumerate(sitting):
        if node not in wanted or node in nodes[:seat]:
            return Move(start, end, seat, version + 1, node, coming[0])
    return None


@lru_cache(maxsize=RINGS_REMEMBERED)
def _ends(layout: Layout) -> tuple[int, ...]:
    return tuple(end >> 1 for end in layout.ends)


def _counted(nodes: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in nodes:
        counts[node] = counts.get(node, 0) + 1
    return counts


def _without(nodes: tuple[str, ...], node: str) -> tuple[str, ...]:
    return tuple(name for name in nodes if name != node)
