"""Stop one node as an operator would (`SIGTERM`, and it drains), and start it again at the heal; which one is drawn.

Unlike a kill this leaves the mark of a clean shutdown, so the node comes back as the incarnation it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.outages import outage
from nemesis.powers import Effect, Plan, Processes

NEEDS = Processes


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the node."""
    return Plan(nodes=(rng.choice(nodes),))


def inject(processes: Processes, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Keep the node stopped for as long as the context is open."""
    return outage(processes, plan, processes.stop)
