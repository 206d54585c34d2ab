"""Mark a member down and order it out of the ring while it only does not answer: it is not killed.

It is for a victim that another fault keeps silent, by freezing it or cutting it off. When that one comes back it still
takes itself for an owner; what it says and does then must be refused, and what it alone has is lost like a disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import to_the_end
from nemesis.orders import evicted, settled
from nemesis.powers import Effect, Membership, Plan

NEEDS = Membership
GOES = True
LOSES_DISK = True
ENDS_PROCESS = False
STAGED = True


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, and which of the others is asked first."""
    return Plan(nodes=(rng.choice(nodes),), how={"at": rng.randrange(5)})


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Do it; when the context is left, wait for what the others have to take over."""
    effect = Effect(observed={node: {"left": False, "settled": False} for node in plan.nodes})
    try:
        await to_the_end(_out(membership, plan, effect))
        yield effect
    finally:
        await to_the_end(settled(membership, effect))


async def _out(membership: Membership, plan: Plan, effect: Effect) -> None:
    for node in plan.nodes:
        effect.observed[node]["left"] = await evicted(membership, node, int(plan.how["at"]))
    effect.delivered = all(told["left"] for told in effect.observed.values())
