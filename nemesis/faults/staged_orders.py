"""Try what an operator must not be able to do with staged orders, then let two spares in with one commit.

A commit without a plan, with the plan of other orders, or of orders that are forgotten is refused; the commit of what
the plan has shown is not (Riak's staged clustering). Nothing is broken by it; what a node says is the proof.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import each, to_the_end
from nemesis.orders import asked, seen, settled
from nemesis.powers import Effect, Membership, OrderRefusedError, Plan

NEEDS = Membership
SPARES = 2
ENDS_PROCESS = False
STAGED = True


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw which of the members is asked."""
    return Plan(how={"at": rng.randrange(len(nodes))})


@asynccontextmanager
async def inject(membership: Membership, plan: Plan) -> AsyncIterator[Effect]:
    """Go through the contract; `unmet` says what of it did not hold."""
    effect = Effect(observed={node: {"joined": False, "settled": False} for node in plan.spares})
    unmet: list[str] = []
    try:
        await to_the_end(_contract(membership, plan, effect, unmet))
        yield effect
    finally:
        await to_the_end(settled(membership, effect))
        if unmet:
            effect.observed["unmet"] = unmet


async def _contract(membership: Membership, plan: Plan, effect: Effect, unmet: list[str]) -> None:
    one, other = plan.spares
    await each(plan.spares, membership.start)
    at = asked(membership, *plan.spares, first=int(plan.how["at"]))

    async def refused(what: str, order: Awaitable[object]) -> None:
        try:
            await order
        except OrderRefusedError:
            return
        unmet.append(f"{at} took {what}")

    await membership.unstage(at)
    await refused("a commit of nothing", membership.commit(at, "none"))
    await membership.stage(at, "join", one)
    await refused("a commit without a plan", membership.commit(at, "none"))
    token = await membership.plan(at)
    await membership.stage(at, "join", other)
    await refused(f"a commit of a plan that did not say that {other} joins", membership.commit(at, token))
    token = await membership.plan(at)
    await membership.unstage(at)
    await refused("a commit of orders that were forgotten", membership.commit(at, token))
    for node in plan.spares:
        await membership.stage(at, "join", node)
    await membership.commit(at, await membership.plan(at))
    for node in plan.spares:
        effect.observed[node]["joined"] = await seen(membership, "join", node)
    effect.delivered = all(effect.observed[node]["joined"] for node in plan.spares)
