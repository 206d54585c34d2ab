"""Clog links and open them again, each at a time of its own (FoundationDB's swizzle).

What a clogged link is given is held, and comes in order when it opens; so the cluster meets its own past, link by link,
in an order that nobody planned for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.bad_links import prove
from nemesis.cures import Work, meanwhile, mended
from nemesis.cuts import need
from nemesis.draws import most_links
from nemesis.powers import Disturbance, Effect, Link, Links, Plan

NEEDS = Links

CLOGS_WITHIN_MS = 400
CLOGGED_MS = 100, 2500


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the links, and when each of them clogs and opens; the first one clogs at once."""
    need("clog", nodes, 2)
    paths = most_links(nodes, rng)
    how: dict[str, float] = {}
    for number, (source, target) in enumerate(rng.sample(paths, len(paths))):
        clogs_ms = rng.randint(0, CLOGS_WITHIN_MS) if number else 0
        how |= {f"{source}>{target} clogs_ms": clogs_ms, f"{source}>{target} for_ms": rng.randint(*CLOGGED_MS)}
    return Plan(paths=paths, how=how)


@asynccontextmanager
async def inject(links: Links, plan: Plan) -> AsyncIterator[Effect]:
    """Clog and open as planned; at the heal everything opens."""
    effect = Effect()

    def clogging(link: Link) -> Work:
        clogs_ms, for_ms = (plan.how[f"{link[0]}>{link[1]} {what}"] for what in ("clogs_ms", "for_ms"))

        async def work(begun: Callable[[], None]) -> None:
            await asyncio.sleep(clogs_ms / 1000)
            async with mended(links.disturb((link,), Disturbance(clogged=True)), f"the link {link}") as counts:
                begun()
                try:
                    await asyncio.sleep(for_ms / 1000)
                finally:
                    prove(effect, counts, "held")

        return work

    async with meanwhile(*map(clogging, plan.paths)):
        yield effect
