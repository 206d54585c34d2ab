"""Order a member out of the ring, and at the heal into it again; which one is drawn.

What it takes over the second time has changed meanwhile, and what it once held must not come back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import to_the_end
from nemesis.orders import MOVES_S, gone, order, seen, settled, until
from nemesis.powers import CureError, Effect, Membership, Plan, PowerError

NEEDS = Membership
ENDS_PROCESS = False


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw who leaves, and which of the others is asked first."""
    return Plan(nodes=(rng.choice(nodes),), how={"at": rng.randrange(len(nodes))})


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Keep the node out of the ring, or on its way out, for as long as the context is open."""
    effect = Effect(observed={node: {"left": False, "back": False, "settled": False} for node in plan.nodes})
    first = int(plan.how["at"])
    try:
        await to_the_end(_let_go(membership, plan, effect, first))
        yield effect
    finally:
        await to_the_end(_let_in(membership, plan, effect, first))


async def _let_go(membership: Membership, plan: Plan, effect: Effect, first: int) -> None:
    for node in plan.nodes:
        await order(membership, "leave", node, first=first)
        effect.observed[node]["left"] = await seen(membership, "leave", node)
    effect.delivered = all(told["left"] for told in effect.observed.values())


async def _let_in(membership: Membership, plan: Plan, effect: Effect, first: int) -> None:
    """One that is still leaving has to be gone before it can join."""
    for node in plan.nodes:
        if effect.observed[node]["left"]:
            await until(membership, gone(node), MOVES_S, node)
        try:
            await order(membership, "join", node, first=first)
        except PowerError as error:
            raise CureError(str(error)) from error
        effect.observed[node]["back"] = await seen(membership, "join", node)
    await settled(membership, effect)
