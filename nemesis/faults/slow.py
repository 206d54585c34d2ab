"""Take processor time away from one node: each of its steps takes longer, and the next ones wait in line.

It answers, late. A node that is slow is harder on its neighbours than one that is dead, because nobody stops asking it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import mended
from nemesis.draws import spread
from nemesis.powers import Effect, Plan, Speed, Traffic

NEEDS = Speed

STEP_MS = 0.5, 5


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, and how long a step takes it."""
    return Plan(nodes=(rng.choice(nodes),), how={"step_ms": spread(rng, *STEP_MS)})


@asynccontextmanager
async def inject(speed: Speed, plan: Plan) -> AsyncIterator[Effect]:
    """Keep the victim slow for as long as the context is open; the proof is the steps that had to wait."""
    effect = Effect()
    (node,) = plan.nodes
    steps = Traffic()
    try:
        async with mended(speed.slow(node, plan.how["step_ms"]), f"the speed of {node}") as steps:
            yield effect
    finally:
        effect.observed[node] = {"steps": steps.seen, "waited": steps.dropped}
        effect.delivered = steps.dropped > 0
