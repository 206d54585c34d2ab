"""Start a spare and order it into the ring, at a member that is drawn; it stays when the fault is over.

Writes go on while its seats are handed over: none may be lost, and nobody may find less than before (Dynamo, 4.9). It
may be killed in the middle of that by another fault, which is when it matters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import to_the_end
from nemesis.orders import order, seen, settled
from nemesis.powers import Effect, Membership, Plan

NEEDS = Membership
SPARES = 1
ENDS_PROCESS = False


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw which of the members is asked first."""
    return Plan(how={"at": rng.randrange(len(nodes))})


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Let the spare in; when the context is left, wait for what it is to take over."""
    effect = Effect(observed={node: {"joined": False, "settled": False} for node in plan.spares})
    try:
        await to_the_end(_let_in(membership, plan, effect))
        yield effect
    finally:
        await to_the_end(settled(membership, effect))


async def _let_in(membership: Membership, plan: Plan, effect: Effect) -> None:
    for node in plan.spares:
        if not membership.running(node):  # as one does that has left
            await membership.start(node)
        await order(membership, "join", node, first=int(plan.how["at"]))
        effect.observed[node]["joined"] = await seen(membership, "join", node)
    effect.delivered = all(told["joined"] for told in effect.observed.values())
