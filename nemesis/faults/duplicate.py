"""Let some of the messages on most links arrive twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.bad_links import disturbing
from nemesis.cuts import need
from nemesis.draws import most_links, spread
from nemesis.powers import Disturbance, Effect, Links, Plan

NEEDS = Links

SHARE = 0.01, 0.5


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the links, and the share that comes twice."""
    need("duplicate", nodes, 2)
    return Plan(paths=most_links(nodes, rng), how={"duplicate": spread(rng, *SHARE)})


def inject(links: Links, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Copy messages for as long as the context is open."""
    return disturbing(links, plan, Disturbance(duplicate=plan.how["duplicate"]), "duplicated")
