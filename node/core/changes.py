"""What is known of the ring: a history of changes, and of the switches that followed them. Both only ever grow.

A change is what an operator ordered: a node joins, leaves, is replaced, is marked down or is back (Dynamo, 4.8.1).
A switch is what came of it: a seat in a partition has passed from one node to another, with all that was stored there.
Two histories are merged by uniting them, so it does not matter who hears what from whom, in which order, how often.
Changes stand in causal order: each is higher than all that its issuer knew, and equals are ordered by their ids. The
time of issue is for people; nothing depends on it.

This file knows facts and how they are united. It does not know what ring they make.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import msgspec

JOIN, LEAVE, REPLACE, DOWN, UP = "join", "leave", "replace", "down", "up"
OPERATIONS = (JOIN, LEAVE, REPLACE, DOWN, UP)


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A node and where it stands. `capacity` is relative: twice as much gets twice the tokens.

    Nodes on one `host` share its fate; without a name of its own a node is its own host. Hosts stand in racks, racks in
    data centres (`dc`).
    """

    node: str
    capacity: int = 1
    host: str = ""
    rack: str = ""
    dc: str = ""

    @property
    def machine(self) -> str:
        """The physical host, by a name that is never empty."""
        return self.host or self.node


class Change(msgspec.Struct, frozen=True, array_like=True):
    """One order of an operator. `height` is one more than any change that it was issued `on`, which is their digest.

    `member` is who comes, with a join or a replacement, and `address` where it is dialled, as host:port. `issued_ms` is
    the operator's wall clock, in milliseconds since 1970.
    """

    height: int
    id: str
    operation: str
    node: str
    member: Member | None
    address: str
    issuer: str
    issued_ms: int
    on: str


class Switch(msgspec.Struct, frozen=True, array_like=True):
    """Seat number `seat` of the partition [start, end), of 63-bit positions, has passed to `node`.

    `version` counts the seat's switches.
    """

    start: int
    end: int
    seat: int
    version: int
    node: str


class Move(msgspec.Struct, frozen=True, array_like=True):
    """A switch that is due: the seat is to pass from `giver` to `taker`."""

    start: int
    end: int
    seat: int
    version: int
    giver: str
    taker: str

    @property
    def switch(self) -> Switch:
        """The fact that it has been done."""
        return Switch(self.start, self.end, self.seat, self.version, self.taker)


class Life(msgspec.Struct, frozen=True, array_like=True):
    """One life of a node: its incarnation, which life of its disk it is, counted from 1, and where it is dialled."""

    node: str
    incarnation: str
    number: int
    address: str = ""


class History(msgspec.Struct, frozen=True, dict=True):
    """Everything that is known of the ring since the cluster was founded: changes in order, switches in order."""

    changes: tuple[Change, ...] = ()
    switches: tuple[Switch, ...] = ()

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """A name for exactly this knowledge."""
        return _digest(msgspec.msgpack.encode(self))

    @cached_property
    def of_changes(self) -> str:
        """A name for these changes."""
        return _digest(msgspec.msgpack.encode(self.changes))

    @property
    def height(self) -> int:
        """How high the next change is to stand."""
        return self.changes[-1].height + 1 if self.changes else 1

    def merged(self, other: History) -> History:
        """Everything that either of them knows; itself where the other knows nothing more."""
        changes = _united(self.changes, other.changes)
        switches = _latest(_united(self.switches, other.switches))
        if changes == self.changes and switches == self.switches:
            return self
        return History(changes, switches)

    def with_change(self, change: Change) -> History:
        """One change more."""
        return self.merged(History((change,)))

    def with_switch(self, switch: Switch) -> History:
        """One switch more."""
        return self.merged(History((), (switch,)))


def _united(mine: tuple[Any, ...], theirs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Both, each fact once, in the one order that everybody gives them: that of their fields."""
    if mine == theirs:
        return mine
    return tuple(sorted(dict.fromkeys(mine + theirs), key=_in_order))


def _in_order(fact: Change | Switch) -> tuple[Any, ...]:
    """Where a fact stands: changes by height and id, switches by place; and equals by all that they say."""
    if isinstance(fact, Change):
        return fact.height, fact.id, msgspec.msgpack.encode(fact)
    return msgspec.structs.astuple(fact)


def _latest(switches: tuple[Switch, ...]) -> tuple[Switch, ...]:
    """Without those that a later switch of the same seat, in the same partition, has made a thing of the past."""
    last = {(switch.start, switch.end, switch.seat): switch for switch in switches}
    return switches if len(last) == len(switches) else tuple(last.values())


def _digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()[:12]
