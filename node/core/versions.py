"""Keep the versions of one key: what has been seen, and what of it is still alive.

`merge` is the one primitive at the receiving end of replication, hints, read repair and transfers: idempotent,
commutative and associative, so that it does not matter how often or in which order versions arrive (Dynamo, 4.4:
syntactic reconciliation). This file knows values as bytes; it does not know keys, nodes or stores.
"""

from __future__ import annotations

import msgspec

from node.core.clocks import Clock, Dot


class Sibling(msgspec.Struct, frozen=True, array_like=True):
    """One live version: the dot that names it, and its value."""

    dot: Dot
    value: bytes


class Versions(msgspec.Struct, frozen=True, array_like=True):
    """A dotted version vector set: the events seen, and the siblings alive among them, ordered by dot.

    A dot that the clock covers and that no sibling has was overwritten by somebody who had seen it.
    """

    clock: Clock = Clock()
    siblings: tuple[Sibling, ...] = ()


NOTHING = Versions()
"""A key that was never written."""


def merge(one: Versions, two: Versions) -> Versions:
    """Unite two replicas' knowledge: a sibling dies where the other side has seen it and no longer has it."""
    if two in (one, NOTHING):
        return one
    if one == NOTHING:
        return two
    mine, theirs = {s.dot: s for s in one.siblings}, {s.dot: s for s in two.siblings}
    seen_by_me, seen_by_them = one.clock.covers, two.clock.covers
    alive = {dot: s for dot, s in mine.items() if dot in theirs or not seen_by_them(dot)}
    alive |= {dot: s for dot, s in theirs.items() if dot not in mine and not seen_by_me(dot)}
    return Versions(one.clock.joined(two.clock), _in_order(alive))


def write(versions: Versions, context: Clock, dot: Dot, value: bytes) -> Versions:
    """Add a version that replaces what its context covers, and stands beside everything else (Dynamo, 4.4)."""
    alive = {s.dot: s for s in versions.siblings if not context.covers(s.dot)}
    alive[dot] = Sibling(dot, value)
    clock = versions.clock.joined(context).including(dot)
    return Versions(clock, _in_order(alive))


def _in_order(alive: dict[Dot, Sibling]) -> tuple[Sibling, ...]:
    return tuple([alive[dot] for dot in sorted(alive)]) if len(alive) > 1 else tuple(alive.values())
