"""Let every sync of one node take many times as long, as on a disk that is dying, or shared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import mended
from nemesis.draws import spread
from nemesis.powers import Disks, Effect, Plan, Traffic

NEEDS = Disks
ENDS_PROCESS = False

FACTOR = 10, 200


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, and how many times as long."""
    return Plan(nodes=(rng.choice(nodes),), how={"factor": spread(rng, *FACTOR)})


@asynccontextmanager
async def inject(disks: Disks, plan: Plan) -> AsyncIterator[Effect]:
    """Keep the disk slow for as long as the context is open; the proof is the syncs that were."""
    effect = Effect()
    (node,) = plan.nodes
    syncs = Traffic()
    try:
        async with mended(disks.trouble(node, "slow", plan.how["factor"]), f"the disk of {node}") as syncs:
            yield effect
    finally:
        effect.observed[node] = {"syncs": syncs.seen, "slow": syncs.dropped}
        effect.delivered = syncs.dropped > 0
