"""Reset the connections between nodes, again and again: what is under way is lost, and the next message dials anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import meanwhile
from nemesis.cuts import need
from nemesis.draws import most_links, spread
from nemesis.powers import Connections, Effect, Plan

NEEDS = Connections

EVERY_MS = 2, 20


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the links, and how often they are reset."""
    need("connection-reset", nodes, 2)
    return Plan(paths=most_links(nodes, rng), how={"every_ms": spread(rng, *EVERY_MS)})


@asynccontextmanager
async def inject(connections: Connections, plan: Plan) -> AsyncIterator[Effect]:
    """Reset all of them at once, as often as planned, for as long as the context is open."""
    effect = Effect()

    async def work(begun: Callable[[], None]) -> None:
        while True:
            lost = await connections.reset(plan.paths)
            for (source, target), count in lost.items():
                seen = effect.observed.setdefault(f"{source}>{target}", {"resets": 0, "lost": 0})
                seen |= {"resets": seen["resets"] + 1, "lost": seen["lost"] + count}
            effect.delivered = effect.delivered or any(lost.values())
            begun()
            await asyncio.sleep(plan.how["every_ms"] / 1000)

    async with meanwhile(work):
        yield effect
