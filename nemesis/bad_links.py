"""Make links bad without cutting them: the one way in which delays, losses, copies and other orders are injected.

The proof is what the network did to the messages that came by. One that did nothing to any of them was not delivered.
This file knows links and counts. It does not know how a world disturbs messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal

from nemesis.cures import mended
from nemesis.powers import Disturbance, Disturbed, Effect, Link, Links, Plan

Deed = Literal["delayed", "lost", "duplicated", "reordered", "held"]
"""What proves that links were bad: a count of `Disturbed`."""


@asynccontextmanager
async def disturbing(links: Links, plan: Plan, how: Disturbance, deed: Deed) -> AsyncIterator[Effect]:
    """Disturb the plan's paths for as long as the context is open."""
    effect = Effect()
    counts: Mapping[Link, Disturbed] = {}
    try:
        async with mended(links.disturb(plan.paths, how), "the links") as counts:
            yield effect
    finally:
        prove(effect, counts, deed)


def prove(effect: Effect, counts: Mapping[Link, Disturbed], deed: Deed) -> None:
    """Take over how many messages each link saw, and to how many it was done."""
    for (source, target), count in counts.items():
        effect.observed[f"{source}>{target}"] = {"messages": count.seen, deed: getattr(count, deed)}
    effect.delivered = effect.delivered or any(getattr(count, deed) > 0 for count in counts.values())
