"""What a configuration claims to survive, and whether a schedule asks for more.

A replicated store that syncs before it acknowledges claims: any links cut, any nodes killed, frozen or slow, at any
time, and one disk lost over the whole run (why not more is said in `nemesis.schedule`). It does not claim to survive
disks that lie, or the loss of all that it has. Within the budget everything is judged; beyond it only what must hold
whatever is broken.

This file knows schedules. It does not know how a run is judged.
"""

from __future__ import annotations

from collections.abc import Iterable

from nemesis.catalog import ends_process, is_beyond, loses_disk
from nemesis.schedule import Injection

DISKS = 1
"""How many nodes may lose their disks in one run."""


def exceeded(schedule: Iterable[Injection], *, durable: bool) -> tuple[str, ...]:
    """Say in a sentence each what in a schedule is more than the budget; nothing when it is within.

    Where what a node keeps is not `durable`, a node that goes down has lost its disk.
    """
    losers: dict[str, None] = {}
    told: dict[str, None] = {}
    for injection in schedule:
        if is_beyond(injection.name):
            told[f"{injection.name} is more than any configuration claims to survive"] = None
        if loses_disk(injection.name) or (not durable and ends_process(injection.name)):
            losers.update(dict.fromkeys(injection.plan.nodes))
    if len(losers) > DISKS:
        told[f"{len(losers)} disks are lost ({', '.join(losers)}), more than {DISKS}"] = None
    return tuple(told)
