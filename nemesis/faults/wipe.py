"""Kill one node and empty its disk, as when a machine is replaced; start it again at the heal.

The node comes back under its old name and remembers nothing. How many disks a cluster can afford to lose is not for
this file: it says that it loses one, and the schedule keeps the budget.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.outages import outage
from nemesis.powers import Effect, Plan, Processes

NEEDS = Processes
LOSES_DISK = True


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the victim."""
    return Plan(nodes=(rng.choice(nodes),))


@asynccontextmanager
async def inject(processes: Processes, plan: Plan) -> AsyncIterator[Effect]:
    """Take the victim's data, and keep it down for as long as the context is open."""

    async def lose(node: str) -> None:
        await processes.kill(node)
        await processes.wipe(node)

    async with outage(processes, plan, lose) as effect:
        for node in plan.nodes:
            effect.observed[node]["wiped"] = True
        yield effect
