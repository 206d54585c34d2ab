"""Freeze one node (`SIGSTOP`), as a long garbage collection or a busy hypervisor does, and let it go on at the heal.

It comes back without knowing that it was away: its timers are overdue, and what it believes is old.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import each, to_the_end
from nemesis.powers import CureError, Effect, Pauses, Plan

NEEDS = Pauses


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim."""
    return Plan(nodes=(rng.choice(nodes),))


@asynccontextmanager
async def inject(pauses: Pauses, plan: Plan) -> AsyncIterator[Effect]:
    """Keep the victim frozen for as long as the context is open; that it is, and is no more, is looked up."""
    effect = Effect(observed={node: {"frozen": False, "resumed": False} for node in plan.nodes})
    try:
        await to_the_end(each(plan.nodes, pauses.pause))
        for node, seen in effect.observed.items():
            seen["frozen"] = pauses.paused(node)
        effect.delivered = all(seen["frozen"] for seen in effect.observed.values())
        yield effect
    finally:
        await to_the_end(_resumed(pauses, effect))


async def _resumed(pauses: Pauses, effect: Effect) -> None:
    try:
        await each(tuple(effect.observed), pauses.resume, CureError)
    finally:
        for node, seen in effect.observed.items():
            seen["resumed"] = not pauses.paused(node)
    frozen = [node for node, seen in effect.observed.items() if not seen["resumed"]]
    if frozen:
        raise CureError(f"{', '.join(frozen)} did not go on")
