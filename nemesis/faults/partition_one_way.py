"""Cut one direction between a minority and the rest: one side still hears the other, but is not heard.

Requests then arrive whose answers do not, so that writes happen which look like time-outs to whoever asked. Over TCP a
lost direction loses the acknowledgements of the other one too, so a connection slowly dies both ways; frames that pass
until then are what this fault is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from nemesis.cuts import divide, inject, need, towards
from nemesis.powers import Network, Plan

__all__ = ["NEEDS", "inject", "plan"]

NEEDS = Network


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the minority and the direction: what the first side says does not reach the second."""
    need("partition-one-way", nodes, 2)
    minority, rest = divide(nodes, rng.randint(1, max(1, (len(nodes) - 1) // 2)), rng)
    unheard, deprived = (minority, rest) if rng.random() < 0.5 else (rest, minority)
    return Plan(links=towards(unheard, deprived), sides=(unheard, deprived))
