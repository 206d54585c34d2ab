"""Kill one node (`SIGKILL`: no goodbye, no last write) and start it again at the heal; which one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.outages import outage
from nemesis.powers import Effect, Plan, Processes

NEEDS = Processes


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim."""
    return Plan(nodes=(rng.choice(nodes),))


def inject(processes: Processes, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Keep the victim down for as long as the context is open."""
    return outage(processes, plan, processes.kill)
