"""Let every node see a majority, and no two nodes the same one (Jepsen's majorities ring).

The nodes are put on a ring in a drawn order, and each hears only its nearest neighbours on both sides, itself included:
a window of the smallest odd size that is a majority. With five nodes that is exactly a majority. With other numbers the
window may be larger than it would have to be, but a window smaller than the ring belongs to one node only, so the
promise holds for every number from four on. With three nodes the only window is the whole ring, and nothing is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nemesis.cuts import inject, need
from nemesis.powers import Network, Plan

__all__ = ["NEEDS", "inject", "plan"]

NEEDS = Network


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the order on the ring, and cut every link that leads out of a window. There are no sides."""
    need("partition-majorities-ring", nodes, 4)
    ring = rng.sample(list(nodes), len(nodes))
    majority = len(nodes) // 2 + 1
    reach = majority // 2
    return Plan(
        links=tuple(
            (source, target)
            for place, source in enumerate(ring)
            for other, target in enumerate(ring)
            if _apart(place, other, len(ring)) > reach
        )
    )


def _apart(one: int, other: int, size: int) -> int:
    """The number of steps between two places on the ring, the shorter way round."""
    return min((one - other) % size, (other - one) % size)
