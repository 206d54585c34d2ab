"""Let the disk of one node say that it has synced when it has not, and cut its power at the heal.

What was acknowledged is then gone, and no store on that disk can help it, so only what must hold whatever is broken is
judged afterwards. Where the node refuses what is left of its data, the disk is replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.breakdowns import revived
from nemesis.cures import mended, to_the_end
from nemesis.powers import CureError, Disks, Effect, Plan, PowerError, Traffic

NEEDS = Disks
NEEDS_FILES = True
BEYOND = True


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim."""
    return Plan(nodes=(rng.choice(nodes),))


@asynccontextmanager
async def inject(disks: Disks, plan: Plan) -> AsyncIterator[Effect]:
    """Let the disk lie for as long as the context is open; the node is killed before it becomes honest."""
    (node,) = plan.nodes
    effect = Effect(observed={node: {"down": False, "exits": 0, "replaced": False, "up": False}})
    syncs = Traffic()
    try:
        async with mended(disks.trouble(node, "lying", 0), f"the disk of {node}") as syncs:
            try:
                yield effect
            finally:
                await to_the_end(_ended(disks, node, effect))
    finally:
        await to_the_end(_cured(disks, node, effect, syncs))


async def _ended(disks: Disks, node: str, effect: Effect) -> None:
    if disks.running(node):
        await disks.kill(node)
    effect.observed[node]["down"] = not disks.running(node)


async def _cured(disks: Disks, node: str, effect: Effect, syncs: Traffic) -> None:
    seen = effect.observed[node]
    seen |= {"syncs": syncs.seen, "lies": syncs.dropped}
    effect.delivered = seen["down"] and syncs.dropped > 0
    try:
        if not disks.running(node):
            seen["replaced"] = await revived(disks, node)
            seen["exits"] = int(seen["replaced"] and syncs.dropped > 0)
    except PowerError as error:
        raise CureError(str(error)) from error
    finally:
        seen["up"] = disks.running(node)
