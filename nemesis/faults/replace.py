"""Kill a member for good, mark it down, and let a spare take its place, as when a machine has burnt out.

Whatever is held for the old one, as a hint or as a write under way, has to end at the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import each, to_the_end
from nemesis.draws import spread
from nemesis.orders import order, revived_member, seen, settled
from nemesis.powers import CureError, Effect, Membership, Plan, PowerError

NEEDS = Membership
SPARES = 1
GOES = True
LOSES_DISK = True

WAIT_MS = 100, 2000


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, which of the others is asked first, and how long nobody says anything."""
    how = {"at": rng.randrange(5), "wait_ms": spread(rng, *WAIT_MS)}
    return Plan(nodes=(rng.choice(nodes),), how=how)


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Do it; when the context is left, wait for what the new one is to take over. A victim that nobody could replace
    is started again.
    """
    (victim,) = plan.nodes
    effect = Effect(observed={victim: {"down": False, "replaced": False, "settled": False}})
    try:
        await to_the_end(each(plan.nodes, membership.kill))
        await asyncio.sleep(plan.how["wait_ms"] / 1000)
        await to_the_end(_replaced(membership, plan, effect))
        yield effect
    finally:
        await to_the_end(_settled(membership, victim, effect))


async def _replaced(membership: Membership, plan: Plan, effect: Effect) -> None:
    (victim,), (spare,), first = plan.nodes, plan.spares, int(plan.how["at"])
    told = effect.observed[victim]
    told["down"] = not membership.running(victim)
    await membership.start(spare)
    await order(membership, "down", victim, first=first)
    await order(membership, "replace", victim, spare, first=first)
    told["replaced"] = effect.delivered = await seen(membership, "replace", victim, spare)


async def _settled(membership: Membership, victim: str, effect: Effect) -> None:
    try:
        await revived_member(membership, victim)
    except PowerError as error:
        raise CureError(str(error)) from error
    finally:
        await settled(membership, effect)
