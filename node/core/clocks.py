"""Name events with dots, and remember sets of them in clocks.

A dot is one write; a clock is a set of dots. A clock need not be contiguous: the context that a put's reply carries
covers its own dot and the context given, and not the siblings that happen to have smaller counters (dotted version
vectors: Preguiça et al., "Dotted Version Vectors", 2010; Almeida et al., "Scalable and Accurate Causality Tracking",
2014).

This file knows sets of events. It does not know values, keys or nodes' disks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec


class Actor(NamedTuple):
    """Who writes: a node, one life of its disk, and one life of one key's record on it.

    The bare node is not enough: a node that lost its disk, or a fallback whose record of the key was delivered and
    deleted, would count from one again and name two values by one dot.
    """

    node: str
    incarnation: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.node}.{self.incarnation}.{self.epoch}"


class Dot(NamedTuple):
    """One write: the actor's event number `counter`, counted from one."""

    actor: Actor
    counter: int

    def __str__(self) -> str:
        return f"{self.actor}:{self.counter}"


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """The events of one actor: all from 1 to `upto`, and those `beyond` (ascending, never `upto + 1`)."""

    actor: Actor
    upto: int
    beyond: tuple[int, ...] = ()

    @property
    def last(self) -> int:
        """The largest event number in the set."""
        return self.beyond[-1] if self.beyond else self.upto


class Clock(msgspec.Struct, frozen=True, array_like=True):
    """An immutable set of dots, in canonical form: equal sets are equal clocks and encode to equal bytes."""

    entries: tuple[Seen, ...] = ()

    def covers(self, dot: Dot) -> bool:
        """Whether the event is in the set."""
        actor, counter = dot
        for seen in self.entries:
            if seen.actor == actor:
                return counter <= seen.upto or counter in seen.beyond
        return False

    def last(self, actor: Actor) -> int:
        """The actor's largest event number in the set, or 0."""
        for seen in self.entries:
            if seen.actor == actor:
                return seen.last
        return 0

    def including(self, dot: Dot) -> Clock:
        """The set with one more event."""
        return self.joined(Clock((_canonical(dot.actor, 0, (dot.counter,)),)))

    def joined(self, other: Clock) -> Clock:
        """The union of both sets: the least upper bound of two causal histories (Dynamo, 4.4)."""
        if not other.entries or self.entries == other.entries:
            return self
        if not self.entries:
            return other
        united = {seen.actor: seen for seen in self.entries}
        for seen in other.entries:
            actor = seen.actor
            mine = united.get(actor)
            if mine != seen:
                united[actor] = seen if mine is None else _union(mine, seen)
        if len(united) == len(self.entries):
            return Clock(tuple(united.values()))  # no new actor: still in order
        return Clock(tuple([united[actor] for actor in sorted(united)]))

    def descends_from(self, other: Clock) -> bool:
        """Whether every event of the other set is in this one."""
        return self.joined(other) == self


def _union(one: Seen, two: Seen) -> Seen:
    more, less = (one, two) if one.upto >= two.upto else (two, one)
    if not less.beyond:
        return more
    return _canonical(one.actor, more.upto, one.beyond + two.beyond)


def _canonical(actor: Actor, upto: int, beyond: Iterable[int]) -> Seen:
    """Move events that have become contiguous from `beyond` into `upto`."""
    left: list[int] = []
    for counter in sorted(dict.fromkeys(beyond)):
        if counter == upto + 1:
            upto = counter
        elif counter > upto:
            left.append(counter)
    return Seen(actor, upto, tuple(left))
