"""Let some of the messages on most links come later than those that were sent after them.

One connection keeps its order, but nodes dial anew, and what the old connection still carries then arrives among what
the new one does. Only messages that were really overtaken count.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.bad_links import disturbing
from nemesis.cuts import need
from nemesis.draws import most_links, spread
from nemesis.powers import Disturbance, Effect, Links, Plan

NEEDS = Links

SHARE = 0.02, 0.5
LATER_MS = 50, 500


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the links, the share that comes out of its turn, and how much later it may come."""
    need("reorder", nodes, 2)
    how = {"reorder": spread(rng, *SHARE), "reorder_ms": spread(rng, *LATER_MS)}
    return Plan(paths=most_links(nodes, rng), how=how)


def inject(links: Links, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Mix messages up for as long as the context is open."""
    how = Disturbance(reorder=plan.how["reorder"], reorder_ms=plan.how["reorder_ms"])
    return disturbing(links, plan, how, "reordered")
