"""Put a node's disk back as it was when the fault began, as somebody does who restores a backup or clones a machine.

The node is stopped in good order before its disk is copied, and again before it is put back: what it finds looks like
its own clean end, and yet it has said more since then. What it names now must not be what it has named before. It may
also find out that it is not itself any more, and end; then it gets an empty disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.breakdowns import revived
from nemesis.cures import to_the_end
from nemesis.powers import CureError, Disks, Effect, Plan, PowerError

NEEDS = Disks
LOSES_DISK = True

WATCH_MS = 2000.0
"""How long after its start a node may find out, through its peers, that it is not itself."""
POLL_S = 0.1


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim."""
    return Plan(nodes=(rng.choice(nodes),), how={"watch_ms": WATCH_MS})


@asynccontextmanager
async def inject(disks: Disks, plan: Plan) -> AsyncIterator[Effect]:
    """Copy the disk, let the node go on for as long as the context is open, then put the copy back."""
    (node,) = plan.nodes
    effect = Effect(observed={node: {"put_back": False, "exits": 0, "replaced": False, "up": False}})
    copied = False
    try:
        await to_the_end(_copied(disks, node))
        copied = True
        yield effect
    finally:
        await to_the_end(_cured(disks, plan, effect, copied=copied))


async def _copied(disks: Disks, node: str) -> None:
    await disks.stop(node)
    await disks.copy(node)
    await disks.start(node)


async def _cured(disks: Disks, plan: Plan, effect: Effect, *, copied: bool) -> None:
    (node,) = plan.nodes
    seen = effect.observed[node]
    try:
        if disks.running(node) and copied:
            await disks.stop(node)
            seen["put_back"] = effect.delivered = await disks.put_back(node)
        if not disks.running(node):
            seen["replaced"] = await revived(disks, node) or await _resigned(disks, node, plan.how["watch_ms"] / 1000)
            seen["exits"] = int(seen["replaced"])
    except PowerError as error:
        raise CureError(str(error)) from error
    finally:
        seen["up"] = disks.running(node)


async def _resigned(disks: Disks, node: str, watch_s: float) -> bool:
    """Watch whether the node ends by itself, and start it on an empty disk if it does."""
    for _ in range(round(watch_s / POLL_S)):
        if not disks.running(node):
            await disks.wipe(node)
            await disks.start(node)
            return True
        await asyncio.sleep(POLL_S)
    return False
