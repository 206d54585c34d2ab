"""Kill a member for good: mark it down and order it out of the ring, without anybody in its place.

What was on its disk only is lost; the others make up for its replicas among themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import each, to_the_end
from nemesis.draws import spread
from nemesis.orders import evicted, revived_member, settled
from nemesis.powers import CureError, Effect, Membership, Plan, PowerError

NEEDS = Membership
GOES = True
LOSES_DISK = True

WAIT_MS = 100, 2000


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, which of the others is asked first, and how long nobody says anything."""
    how = {"at": rng.randrange(5), "wait_ms": spread(rng, *WAIT_MS)}
    return Plan(nodes=(rng.choice(nodes),), how=how)


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Do it; when the context is left, wait for what the others have to take over. A victim that nobody could order
    out is started again.
    """
    effect = Effect(observed={node: {"down": False, "left": False, "settled": False} for node in plan.nodes})
    try:
        await to_the_end(each(plan.nodes, membership.kill))
        await asyncio.sleep(plan.how["wait_ms"] / 1000)
        await to_the_end(_out(membership, plan, effect))
        yield effect
    finally:
        await to_the_end(_settled(membership, plan, effect))


async def _out(membership: Membership, plan: Plan, effect: Effect) -> None:
    for node in plan.nodes:
        told = effect.observed[node]
        told["down"] = not membership.running(node)
        told["left"] = await evicted(membership, node, int(plan.how["at"]))
    effect.delivered = all(told["left"] for told in effect.observed.values())


async def _settled(membership: Membership, plan: Plan, effect: Effect) -> None:
    try:
        for node in plan.nodes:
            await revived_member(membership, node)
    except PowerError as error:
        raise CureError(str(error)) from error
    finally:
        await settled(membership, effect)
