"""Kill every node at once, as a power cut does, and start all of them at the heal.

What was acknowledged must then come back from the disks alone: no node is left that remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.outages import outage
from nemesis.powers import Effect, Plan, Processes

NEEDS = Processes


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Take all nodes, in a drawn order: they die in the same instant, yet one signal is sent after the other."""
    return Plan(nodes=tuple(rng.sample(list(nodes), len(nodes))))


def inject(processes: Processes, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Keep the whole cluster down for as long as the context is open."""
    return outage(processes, plan, processes.kill)
