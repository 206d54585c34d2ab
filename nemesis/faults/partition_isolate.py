"""Cut one node off from all others; which one is drawn. It is alive, and alone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nemesis.cuts import between, divide, inject, need
from nemesis.powers import Network, Plan

__all__ = ["NEEDS", "inject", "plan"]

NEEDS = Network


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the lonely one; it is the first side."""
    need("partition-isolate", nodes, 2)
    alone, others = divide(nodes, 1, rng)
    return Plan(links=between(alone, others), sides=(alone, others))
