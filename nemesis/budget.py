"""What a configuration claims to survive, and whether a schedule asks for more.

A replicated store that syncs before it acknowledges claims: any links cut, any nodes killed, frozen or slow, at any
time, and one disk lost over the whole run (why not more is said in `nemesis.schedule`), or one after the other where
the others make up for a node that is ordered out of the ring before the next one goes. It does not claim to survive
disks that lie, or the loss of all that it has. Within the budget everything is judged; beyond it only what must hold
whatever is broken.

This file knows schedules. It does not know how a run is judged.
"""

from __future__ import annotations

from collections.abc import Iterable

from nemesis.catalog import ends_process, goes, is_beyond, loses_disk
from nemesis.schedule import Injection

DISKS = 1
"""How many nodes may have lost their disks at one time."""


def exceeded(schedule: Iterable[Injection], *, durable: bool) -> tuple[str, ...]:
    """Say in a sentence each what in a schedule is more than the budget; nothing when it is within.

    Where what a node keeps is not `durable`, a node that goes down has lost its disk.
    """
    losses: list[Injection] = []
    told: dict[str, None] = {}
    for injection in schedule:
        if is_beyond(injection.name):
            told[f"{injection.name} is more than any configuration claims to survive"] = None
        if loses_disk(injection.name) or (not durable and ends_process(injection.name)):
            losses.append(injection)
    losers = max((_lost(losses, loss.at_ns) for loss in losses), key=len, default=())
    if len(losers) > DISKS:
        told[f"{len(losers)} disks are lost ({', '.join(losers)}), more than {DISKS}"] = None
    return tuple(told)


def _lost(losses: Iterable[Injection], at_ns: int) -> tuple[str, ...]:
    """Whose data are not made up for at that time: those of who has gone are when the fault ends, others' may never."""
    missing = (loss for loss in losses if loss.at_ns <= at_ns and not (goes(loss.name) and loss.until_ns <= at_ns))
    return tuple(dict.fromkeys(node for loss in missing for node in loss.plan.nodes))
