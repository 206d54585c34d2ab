"""Cut the cluster into two halves joined by one node that both of them see (Jepsen's bridge).

Neither half hears the other, but both hear the bridge: views of who is up disagree, and none of them is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nemesis.cuts import between, divide, inject, need
from nemesis.powers import Network, Plan

__all__ = ["NEEDS", "inject", "plan"]

NEEDS = Network


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the bridge and the halves. `sides` are the halves; the bridge belongs to neither and is in `nodes`."""
    need("partition-bridge", nodes, 3)
    bridge, others = divide(nodes, 1, rng)
    smaller, larger = divide(others, len(others) // 2, rng)
    return Plan(links=between(smaller, larger), nodes=bridge, sides=(smaller, larger))
