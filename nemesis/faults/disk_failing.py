"""Let the next sync of one node fail (EIO): nobody knows what is on the disk then, so the node must end by itself.

A store that syncs again and takes the success for an answer loses what the first sync did not write. At the heal the
disk works again, and the node is started.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.breakdowns import breakdown
from nemesis.powers import Disks, Effect, Plan

NEEDS = Disks


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim."""
    return Plan(nodes=(rng.choice(nodes),))


def inject(disks: Disks, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Wait for a sync to fail and the node to end, for as long as the context is open."""
    return breakdown(disks, plan, "failing")
