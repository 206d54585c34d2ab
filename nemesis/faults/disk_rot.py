"""Flip one bit on the disk of a node that was killed, and start it again at the heal.

It may come back without harm, or refuse to read what is damaged, and then its disk is replaced and it is started
empty. What it must not do is to come back with something else than it was given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.breakdowns import revived
from nemesis.cures import to_the_end
from nemesis.powers import CureError, Disks, Effect, Plan, PowerError

NEEDS = Disks
NEEDS_FILES = True
LOSES_DISK = True


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim."""
    return Plan(nodes=(rng.choice(nodes),))


@asynccontextmanager
async def inject(disks: Disks, plan: Plan) -> AsyncIterator[Effect]:
    """Keep the victim down, with a rotten disk, for as long as the context is open."""
    (node,) = plan.nodes
    effect = Effect(observed={node: {"down": False, "bytes": 0, "exits": 0, "replaced": False, "up": False}})
    seen = effect.observed[node]
    try:
        await to_the_end(disks.kill(node))
        seen["down"] = not disks.running(node)
        seen["bytes"] = await to_the_end(disks.damage(node, "rot"))
        effect.delivered = seen["down"] and seen["bytes"] > 0
        yield effect
    finally:
        await to_the_end(_cured(disks, node, effect))


async def _cured(disks: Disks, node: str, effect: Effect) -> None:
    seen = effect.observed[node]
    try:
        if not disks.running(node):
            seen["replaced"] = await revived(disks, node)
            seen["exits"] = int(seen["replaced"] and seen["bytes"] > 0)
    except PowerError as error:
        raise CureError(str(error)) from error
    finally:
        seen["up"] = disks.running(node)
