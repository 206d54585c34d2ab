"""Cut the cluster into two halves, again and again: the cut opens and closes faster than views of who is up settle.

Its links are paths and not cuts of the plan, because no checker may take them for cut all the while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import meanwhile, mended
from nemesis.cuts import between, divide, need
from nemesis.draws import spread
from nemesis.powers import Effect, Network, Plan

NEEDS = Network

CUT_MS = 50, 600
OPEN_MS = 20, 400


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the halves, and how long they are cut and how long open."""
    need("partition-flapping", nodes, 2)
    smaller, larger = divide(nodes, len(nodes) // 2, rng)
    how = {"cut_ms": spread(rng, *CUT_MS), "open_ms": spread(rng, *OPEN_MS)}
    return Plan(paths=between(smaller, larger), how=how)


@asynccontextmanager
async def inject(network: Network, plan: Plan) -> AsyncIterator[Effect]:
    """Cut and open as planned for as long as the context is open; the proof is how often, and what was dropped."""
    effect = Effect(observed={"cuts": 0, "seen": 0, "dropped": 0})

    async def work(begun: Callable[[], None]) -> None:
        while True:
            async with mended(network.cut(plan.paths), "the cut") as traffic:
                begun()
                try:
                    await asyncio.sleep(plan.how["cut_ms"] / 1000)
                finally:
                    _add(effect, [(count.seen, count.dropped) for count in traffic.values()])
            await asyncio.sleep(plan.how["open_ms"] / 1000)

    async with meanwhile(work):
        yield effect


def _add(effect: Effect, counts: Sequence[tuple[int, int]]) -> None:
    effect.observed["cuts"] += 1
    effect.observed["seen"] += sum(seen for seen, _ in counts)
    effect.observed["dropped"] += sum(dropped for _, dropped in counts)
    effect.delivered = effect.observed["dropped"] > 0
