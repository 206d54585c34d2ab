"""Let a node's disk break down, so that the node ends by itself: it must not go on with what it could not keep.

The cure makes the disk work again and starts the node. `exits` is how many ends of a node by itself the fault answers
for; an end without a disk's error is the node's own. This file knows disks that break. It does not know what a node
writes, nor how a world breaks a disk.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from nemesis.cures import each, mended, to_the_end
from nemesis.powers import CureError, Disks, Effect, Plan, PowerError, Traffic


@asynccontextmanager
async def breakdown(disks: Disks, plan: Plan, kind: str, amount: float = 0.0) -> AsyncIterator[Effect]:
    """Break the disks of the plan's nodes for as long as the context is open."""
    effect = Effect(observed={node: {"down": False, "up": False, "exits": 0} for node in plan.nodes})
    traffic: dict[str, Traffic] = {}
    try:
        async with AsyncExitStack() as stack:
            for node in plan.nodes:
                if not disks.running(node):
                    raise PowerError(f"{node} is not running; its disk breaks under nobody")
                harm = disks.trouble(node, kind, amount)
                traffic[node] = await stack.enter_async_context(mended(harm, f"the disk of {node}"))
            yield effect
    finally:
        await to_the_end(_cured(disks, effect, traffic))


async def _cured(disks: Disks, effect: Effect, traffic: dict[str, Traffic]) -> None:
    for node, count in traffic.items():
        seen = effect.observed[node]
        seen |= {"syncs": count.seen, "hit": count.dropped, "down": not disks.running(node)}
        seen["exits"] = int(seen["down"] and count.dropped > 0)
        if count.dropped and not seen["down"]:
            await disks.kill(node)  # the error is on its way to it
    effect.delivered = bool(traffic) and all(seen["exits"] for seen in effect.observed.values())
    try:
        await each([node for node in traffic if not disks.running(node)], disks.start, CureError)
    finally:
        for node, seen in effect.observed.items():
            seen["up"] = disks.running(node)


async def revived(disks: Disks, node: str) -> bool:
    """Start a node on a disk that may be damaged; where it refuses, replace the disk. Whether it refused."""
    try:
        await disks.start(node)
    except PowerError:
        if disks.running(node):
            raise
        await disks.wipe(node)
        await disks.start(node)
        return True
    return False
