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
    alive = {s.dot: s for s in one.siblings if not two.clock.covers(s.dot)}
    alive |= {s.dot: s for s in two.siblings if not one.clock.covers(s.dot)}
    common = {s.dot for s in two.siblings}
    alive |= {s.dot: s for s in one.siblings if s.dot in common}
    return Versions(one.clock.joined(two.clock), tuple(alive[dot] for dot in sorted(alive)))


def write(versions: Versions, context: Clock, dot: Dot, value: bytes) -> Versions:
    """Add a version that replaces what its context covers, and stands beside everything else (Dynamo, 4.4)."""
    alive = {s.dot: s for s in versions.siblings if not context.covers(s.dot)}
    alive[dot] = Sibling(dot, value)
    clock = versions.clock.joined(context).including(dot)
    return Versions(clock, tuple(alive[name] for name in sorted(alive)))
