"""The power over a ring, put together from what a world can do to processes and what a system's operator can order.

It is the same in every world whose nodes clients can reach. This file knows both sides; it does not know how a process
is started, nor how an order is worded.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.contracts import Operator
from nemesis.powers import Processes, Standing


class Ring:
    """Grants `Membership`: over the `nodes` that the cluster began with, and the `spares` that may come."""

    def __init__(self, processes: Processes, operator: Operator, nodes: Sequence[str], spares: Sequence[str]) -> None:
        self.nodes = tuple(nodes)
        self.spares = tuple(spares)
        self.kill = processes.kill
        self.stop = processes.stop
        self.start = processes.start
        self.wipe = processes.wipe
        self.running = processes.running
        self.order = operator.order
        self.stage = operator.stage
        self.unstage = operator.unstage
        self.plan = operator.plan
        self.commit = operator.commit
        self._operator = operator

    async def standing(self, at: str) -> Standing:
        """The ring as a node tells it."""
        return await self._operator.standing(at)
