"""Delay every message on most links, each by another time, without changing their order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.bad_links import disturbing
from nemesis.cuts import need
from nemesis.draws import most_links, spread
from nemesis.powers import Disturbance, Effect, Links, Plan

NEEDS = Links

DELAY_MS = 2, 300


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the links, the delay, and how much more it may be."""
    need("delay", nodes, 2)
    delay_ms = spread(rng, *DELAY_MS)
    jitter_ms = round(delay_ms * rng.random(), 1)
    return Plan(paths=most_links(nodes, rng), how={"delay_ms": delay_ms, "jitter_ms": jitter_ms})


def inject(links: Links, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Delay for as long as the context is open; what is under way at the heal still comes late."""
    how = Disturbance(delay_ms=plan.how["delay_ms"], jitter_ms=plan.how["jitter_ms"])
    return disturbing(links, plan, how, "delayed")
