"""Set nodes' clocks off, and right again: the one way in which all clock faults are injected.

A clock that was set off proves nothing until the node has read it, so what is observed is what the node itself reads.
It is asked twice, at the beginning and before the cure, since it may be down or frozen at one of them. This file knows
offsets and rates. It does not know how a world reaches a node's clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nemesis.cures import each, to_the_end
from nemesis.powers import Clocks, CureError, Effect, Plan, Skew


@asynccontextmanager
async def skewed(clocks: Clocks, plan: Plan, skew: Skew) -> AsyncIterator[Effect]:
    """Set the clocks of the plan's nodes off for as long as the context is open."""
    effect = Effect(observed={node: {} for node in plan.nodes})
    before = {node: clocks.reads(node) for node in plan.nodes}
    try:
        await to_the_end(each(plan.nodes, lambda node: clocks.skew(node, skew)))
        await look(clocks, effect, plan)
        yield effect
    finally:
        await to_the_end(righted(clocks, effect, plan, before))


async def look(clocks: Clocks, effect: Effect, plan: Plan) -> None:
    """Write down what the nodes read that answer; one that reads its clock as off has the fault."""
    for node in plan.nodes:
        seen = await clocks.seen(node)
        if seen is not None and seen != Skew():
            effect.observed[node] |= {"offset_ms": seen.offset_ms, "drift_ppm": seen.drift_ppm}
            effect.delivered = True


async def righted(clocks: Clocks, effect: Effect, plan: Plan, before: dict[str, int]) -> None:
    """Set the clocks right, and write down how often they were read while they were off."""
    try:
        await look(clocks, effect, plan)
    finally:
        await each(plan.nodes, lambda node: clocks.skew(node, Skew()), CureError)
        for node in plan.nodes:
            effect.observed[node]["reads"] = clocks.reads(node) - before[node]
