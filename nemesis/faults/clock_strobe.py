"""Flip one node's wall clock to and fro between two times, several times a second (Jepsen's strobe)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from random import Random

from nemesis.cures import meanwhile, to_the_end
from nemesis.draws import spread
from nemesis.powers import Clocks, Effect, Plan, Skew
from nemesis.skews import look, righted

NEEDS = Clocks

OFFSET_MS = 50, 60_000
EVERY_MS = 50, 400


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, two offsets, one ahead and one behind, and how often it flips."""
    how = {
        "ahead_ms": spread(rng, *OFFSET_MS),
        "behind_ms": -spread(rng, *OFFSET_MS),
        "every_ms": spread(rng, *EVERY_MS),
    }
    return Plan(nodes=(rng.choice(nodes),), how=how)


@asynccontextmanager
async def inject(clocks: Clocks, plan: Plan) -> AsyncIterator[Effect]:
    """Flip for as long as the context is open; the proof is what the node itself read, and how often that changed."""
    (node,) = plan.nodes
    effect = Effect(observed={node: {"flips": 0}})
    before = {node: clocks.reads(node)}

    async def work(begun: Callable[[], None]) -> None:
        last: object = None
        for offset_ms in cycle((plan.how["ahead_ms"], plan.how["behind_ms"])):
            await clocks.skew(node, Skew(offset_ms=offset_ms))
            await look(clocks, effect, plan)
            seen = effect.observed[node]
            seen["flips"] += last is not None and seen.get("offset_ms") != last
            last = seen.get("offset_ms")
            begun()
            await asyncio.sleep(plan.how["every_ms"] / 1000)

    try:
        async with meanwhile(work):
            yield effect
    finally:
        await to_the_end(righted(clocks, effect, plan, before))
