"""Cut the cluster into two halves that do not hear each other; who is in which half is drawn.

The halves are as even as they can be: of an odd number of nodes one side keeps a majority, of an even one neither does.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nemesis.cuts import between, divide, inject, need
from nemesis.powers import Network, Plan

__all__ = ["NEEDS", "inject", "plan"]

NEEDS = Network


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the halves, the smaller one first."""
    need("partition-halves", nodes, 2)
    smaller, larger = divide(nodes, len(nodes) // 2, rng)
    return Plan(links=between(smaller, larger), sides=(smaller, larger))
