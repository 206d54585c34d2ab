"""Leave one node little space on its disk (ENOSPC): a write ends in the middle, and the node must end by itself.

At the heal there is space again, and the node is started on what the last write left.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.breakdowns import breakdown
from nemesis.powers import Disks, Effect, Plan

NEEDS = Disks
NEEDS_FILES = True

LEFT_BYTES = 500


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim, and how much space it has left."""
    return Plan(nodes=(rng.choice(nodes),), how={"left_bytes": rng.randint(0, LEFT_BYTES)})


def inject(disks: Disks, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Keep the disk full for as long as the context is open."""
    return breakdown(disks, plan, "full", plan.how["left_bytes"])
