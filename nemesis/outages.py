"""Take nodes down and bring them up again: the one way in which all process faults are injected.

What is done to a victim is handed in (a kill, a stop, a kill and an empty disk); that it is really gone, and really
back after the cure, is looked up here, because a request that was answered proves nothing. This file does not know
how a world runs processes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from nemesis.cures import each, to_the_end
from nemesis.powers import CureError, Effect, Plan, Processes


@asynccontextmanager
async def outage(processes: Processes, plan: Plan, end: Callable[[str], Awaitable[None]]) -> AsyncIterator[Effect]:
    """End the plan's nodes, all at once, and start them again when the context is left.

    Neither half stops when the task is cancelled: a kill that lands after its cure would leave the node down for good.
    The cure starts whatever victim is not running, whoever ended it.
    """
    effect = Effect(observed={node: {"down": False, "up": False} for node in plan.nodes})
    try:
        await to_the_end(each(plan.nodes, end))
        _look(processes, effect, "down", running=False)
        effect.delivered = all(seen["down"] for seen in effect.observed.values())
        yield effect
    finally:
        await to_the_end(_restore(processes, plan, effect))


async def _restore(processes: Processes, plan: Plan, effect: Effect) -> None:
    missing = [node for node in plan.nodes if not processes.running(node)]
    try:
        await each(missing, processes.start, CureError)
    finally:
        _look(processes, effect, "up", running=True)


def _look(processes: Processes, effect: Effect, word: str, *, running: bool) -> None:
    """Write down which victims are seen in that state."""
    for node, seen in effect.observed.items():
        seen[word] = processes.running(node) is running
