"""Kill a member and, after a while, mark it down, so that nobody waits for it; start it again at the heal.

Until it is marked, what it is to give or to take stands still; afterwards the ring goes on without it. It comes up by
itself when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import each, to_the_end
from nemesis.draws import spread
from nemesis.orders import order, seen, settled
from nemesis.powers import CureError, Effect, Membership, Plan

NEEDS = Membership

WAIT_MS = 100, 2000


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, which of the others is asked first, and how long nobody says anything."""
    how = {"at": rng.randrange(len(nodes)), "wait_ms": spread(rng, *WAIT_MS)}
    return Plan(nodes=(rng.choice(nodes),), how=how)


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Keep the victim down for as long as the context is open."""
    effect = Effect(observed={node: {"down": False, "up": False, "settled": False} for node in plan.nodes})
    try:
        await to_the_end(each(plan.nodes, membership.kill))
        await asyncio.sleep(plan.how["wait_ms"] / 1000)
        await to_the_end(_marked(membership, plan, effect))
        yield effect
    finally:
        await to_the_end(_back(membership, plan, effect))


async def _marked(membership: Membership, plan: Plan, effect: Effect) -> None:
    for node in plan.nodes:
        await order(membership, "down", node, first=int(plan.how["at"]))
        effect.observed[node]["down"] = await seen(membership, "down", node) and not membership.running(node)
    effect.delivered = all(told["down"] for told in effect.observed.values())


async def _back(membership: Membership, plan: Plan, effect: Effect) -> None:
    """That the ring reckons with it again is the node's own doing, and is waited for."""
    try:
        await each([node for node in plan.nodes if not membership.running(node)], membership.start, CureError)
    finally:
        for node, told in effect.observed.items():
            told["up"] = membership.running(node) and await seen(membership, "valid", node)
        await settled(membership, effect)
