"""Order a member that lives to be replaced by a spare, which must be refused: two nodes would be one (Dynamo, 4.8.1).

Nothing is broken by it; what a node says to it is the proof. The spare is started, and stays outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import to_the_end
from nemesis.orders import asked
from nemesis.powers import Effect, Membership, OrderRefusedError, Plan

NEEDS = Membership
SPARES = 1
ENDS_PROCESS = False
STAGED = True


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw who is to be replaced, and which of the others is asked first."""
    return Plan(nodes=(rng.choice(nodes),), how={"at": rng.randrange(len(nodes))})


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Give the order, and write down what became of it; `unmet` says what should not have."""
    (victim,) = plan.nodes
    effect = Effect(observed={victim: {"refused": False}})
    await to_the_end(_try(membership, plan, effect))
    yield effect


async def _try(membership: Membership, plan: Plan, effect: Effect) -> None:
    (victim,), (spare,) = plan.nodes, plan.spares
    await membership.start(spare)
    at = asked(membership, victim, spare, first=int(plan.how["at"]))
    try:
        await membership.order(at, "replace", victim, spare)
    except OrderRefusedError as error:
        effect.observed[victim] |= {"refused": True, "why": str(error)}
    else:
        effect.observed["unmet"] = [f"{at} took the order to replace {victim}, which lives, by {spare}"]
    effect.delivered = True
