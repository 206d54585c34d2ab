"""Order a member out of the ring, as when a machine is taken out of service; which one is drawn.

It gives its seats and its hints away, and goes on running as an outsider that passes requests on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import to_the_end
from nemesis.orders import order, seen, settled
from nemesis.powers import Effect, Membership, Plan

NEEDS = Membership
GOES = True
ENDS_PROCESS = False


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw who leaves, and which of the others is asked first."""
    return Plan(nodes=(rng.choice(nodes),), how={"at": rng.randrange(len(nodes))})


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Let the node leave; when the context is left, wait for what it is to give away."""
    effect = Effect(observed={node: {"left": False, "settled": False} for node in plan.nodes})
    try:
        await to_the_end(_let_go(membership, plan, effect))
        yield effect
    finally:
        await to_the_end(settled(membership, effect))


async def _let_go(membership: Membership, plan: Plan, effect: Effect) -> None:
    for node in plan.nodes:
        await order(membership, "leave", node, first=int(plan.how["at"]))
        effect.observed[node]["left"] = await seen(membership, "leave", node)
    effect.delivered = all(told["left"] for told in effect.observed.values())
