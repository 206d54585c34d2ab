"""Draw when to inject which fault, and into whom: a schedule is data, made before the run.

Because it is data it can be recorded, replayed in another world, and shrunk; nothing about a fault is drawn during the
run. This file knows times, names and plans. It does not know how a fault is injected.

Time is cut into periods of equal length, and every fault strikes once a period. Each strike has a stream of random
numbers of its own, so that one more fault on the command line does not move those that stood before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

import msgspec

from nemesis.catalog import ends_process, goes, load, loses_disk, spares_of
from nemesis.powers import Disks, Fault, Membership, Pauses, Plan, PlanError, Processes

EVERY_NS = 8_000_000_000
FOR_NS = 4_000_000_000
SHORTEST_PERIOD_NS = 2_000_000_000

WATCH = "watch_ms"
"""What a plan calls the time for which its cure watches the victim."""

_NEVER_NS = 1 << 62
_ATTEMPTS = 64
_ATTEMPTS_PER_LENGTH = 16


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, from `at_ns` after the start of the faults for `for_ns`, doing what `plan` says."""

    id: int
    name: str
    at_ns: int
    for_ns: int
    plan: Plan

    @property
    def until_ns(self) -> int:
        """When it is healed."""
        return self.at_ns + self.for_ns


Schedule = tuple[Injection, ...]


class Rhythm(msgspec.Struct, frozen=True):
    """How often faults strike, for how long, and how much of a period stays quiet, so that a cure has time to work."""

    period_ns: int
    for_ns: int

    @property
    def rest_ns(self) -> int:
        """The least time between the heal of one strike and the next strike at the same node or link."""
        return (self.period_ns - self.for_ns) // 4


def rhythm(duration_ns: int, every_ns: int = EVERY_NS, for_ns: int = FOR_NS) -> Rhythm:
    """Fit the wish into the run: a short one beats faster, in the same proportion, so that at least two strikes fit.

    A period is never shorter than two seconds, unless the whole run is.
    """
    if not 0 < for_ns < every_ns:
        raise PlanError(
            f"a fault every {every_ns} ns for {for_ns} ns leaves no time to recover; for must be below every"
        )
    if duration_ns <= 0:
        raise PlanError(f"faults need a time to happen in; the duration is {duration_ns} ns")
    period_ns = min(every_ns, max(duration_ns // 2, SHORTEST_PERIOD_NS), duration_ns)
    return Rhythm(period_ns, max(1, for_ns * period_ns // every_ns))


def draw(
    faults: Iterable[str],
    nodes: Sequence[str],
    *,
    seed: int | str,
    duration_ns: int,
    every_ns: int = EVERY_NS,
    for_ns: int = FOR_NS,
    spares: Sequence[str] = (),
    least: int = 1,
    beside: Schedule = (),
) -> Schedule:
    """Draw the schedule of a run: a pure function of its arguments.

    `spares` are the nodes that may come into the cluster, each of them once, and `least` is how many of its nodes have
    to stay in it. What is `beside` was scheduled before, and is part of the answer.

    Different faults may be in force together, but two of the same power never hold the same node or link: killing a
    node that is just being restarted tests nothing, and who should start it again? Of two that collide the one named
    first stays, and the other is drawn anew: elsewhere and, in the end, shorter. If no room is found it is left out, so
    whoever asked for a fault should look whether it is in the schedule.

    **One disk.** Every fault that loses a disk hits the same victim in the whole run. A write is acknowledged by W
    nodes, and with W = 2 one lost disk leaves one copy. Before anti-entropy nothing brings the second copy back to a
    key that nobody reads, so a second lost disk may hold the only copy left, and its loss would be our doing, not the
    store's. The same disk a second time costs nothing: what it held before is gone, and what it held since has a copy
    elsewhere.
    """
    if not nodes:
        raise PlanError("faults need nodes to happen to; there is none")
    beat = rhythm(duration_ns, every_ns, for_ns)
    frail = (Random(f"{seed}:nemesis:disk").choice(list(nodes)),)
    taken = list(beside)
    for name in dict.fromkeys(faults):
        within = frail if loses_disk(name) else nodes
        for number in range(duration_ns // beat.period_ns):
            if not _room(name, taken, len(nodes) - least, len(spares)):
                break
            rng = Random(f"{seed}:nemesis:{name}:{number}")
            strike = _strike(name, within, number, beat, rng, taken)
            if strike is not None:
                taken.append(_with_spares(strike, [node for node in spares if not _comes(node, taken)]))
    return numbered(taken)


def numbered(injections: Iterable[Injection]) -> Schedule:
    """A schedule of these, in order and numbered from one."""
    in_order = sorted(injections, key=lambda injection: injection.at_ns)
    return tuple(msgspec.structs.replace(injection, id=place) for place, injection in enumerate(in_order, start=1))


def _room(name: str, taken: Sequence[Injection], may_go: int, may_come: int) -> bool:
    """Whether there are still spares for the fault, and members that may go without anybody in their place."""
    left = may_come - sum(len(injection.plan.spares) for injection in taken)
    gone = sum(goes(injection.name) and not spares_of(injection.name) for injection in taken)
    return left >= spares_of(name) and (gone < may_go or not goes(name) or spares_of(name) > 0)


def _comes(node: str, taken: Sequence[Injection]) -> bool:
    return any(node in injection.plan.spares for injection in taken)


def _with_spares(injection: Injection, spares: Sequence[str]) -> Injection:
    """The same injection, with the first of these spares, as many as its fault wants."""
    plan = replace(injection.plan, spares=tuple(spares[: spares_of(injection.name)]))
    return msgspec.structs.replace(injection, plan=plan)


def _strike(
    name: str, nodes: Sequence[str], number: int, beat: Rhythm, rng: Random, taken: Sequence[Injection]
) -> Injection | None:
    """Draw one strike inside its period that collides with nothing; every sixteen misses halve how long it lasts."""
    fault = load(name)
    for attempt in range(_ATTEMPTS):
        for_ns = max(1, beat.for_ns >> (attempt // _ATTEMPTS_PER_LENGTH))
        slack_ns = beat.period_ns - beat.rest_ns - for_ns
        at_ns = number * beat.period_ns + rng.randrange(slack_ns + 1)
        drawn = Injection(id=0, name=name, at_ns=at_ns, for_ns=for_ns, plan=fault.plan(nodes, rng))
        if not any(collide(drawn, other, beat.rest_ns) for other in taken):
            return drawn
    return None


def collide(one: Injection, other: Injection, rest_ns: int = 0) -> bool:
    """Whether two injections hold the same node or link at the same time, or closer together than the rest.

    A victim that goes is held to the end.
    """
    apart = one.at_ns >= _free_ns(other, rest_ns) or other.at_ns >= _free_ns(one, rest_ns)
    return not apart and not set(held(one)).isdisjoint(held(other))


def _free_ns(injection: Injection, rest_ns: int) -> int:
    """When what it holds may be held again: a cure that watches its victim for a while takes as long as that."""
    watched_ns = round(injection.plan.how.get(WATCH, 0) * 1_000_000)
    return _NEVER_NS if goes(injection.name) else injection.until_ns + watched_ns + rest_ns


def held(injection: Injection) -> tuple[str, ...]:
    """What the injection holds alone, named so that it sorts: its power with each link, or else each node.

    Who comes and who goes may be killed meanwhile, unless the fault does that itself: that is when it matters.
    """
    fault: Fault = load(injection.name)
    if fault.NEEDS is Membership:
        plan = injection.plan
        victims = plan.nodes if ends_process(injection.name) else ()
        return (
            *(f"{Membership.__name__}:{node}" for node in (*plan.nodes, *plan.spares)),
            *(f"{Processes.__name__}:{node}" for node in victims),
        )
    power, described = _SHARED.get(fault.NEEDS, fault.NEEDS).__name__, injection.plan.described()
    return tuple(
        f"{power}:{thing}" for thing in described.get("links") or described.get("paths") or described.get("nodes", ())
    )


_SHARED: dict[type, type] = {Pauses: Processes, Disks: Processes}
"""Powers that hold a node together with another: nobody freezes a node that is being restarted."""


def encode(schedule: Schedule) -> bytes:
    """The schedule as JSON."""
    return msgspec.json.encode(schedule)


def decode(data: bytes) -> Schedule:
    """A schedule that was written by `encode`, or by hand; raises `msgspec.ValidationError` when it is none."""
    return msgspec.json.decode(data, type=Schedule)
