"""Who belongs to the cluster now: whom to start at the heal, and whom to look at when it settles.

Where the ring does not live that is everybody. Where it does, a node that was removed or replaced is not started again,
and one that was let in is looked at like all others. This file knows who there is; it does not know what anybody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from harness.contracts import Cluster
from harness.spec import RunSpec
from nemesis.orders import is_member, standing
from nemesis.powers import Membership, PowerError


class Company:
    """The nodes of a cluster that belong to it, as far as it has been asked; at first those that it began with."""

    def __init__(self, cluster: Cluster, spec: RunSpec) -> None:
        self._cluster = cluster
        self._members: Sequence[str] = spec.node_ids

    def in_reach(self) -> tuple[str, ...]:
        """The members, and whoever else runs: it may hold what is not its own."""
        cluster = self._cluster
        return tuple(node for node in cluster.nodes if node in self._members or cluster.running(node))

    async def heal(self) -> None:
        """Start every member that is not running. One that cannot start is for the checkers to see: dead, or silent."""
        await self._ask()
        down = [node for node in self._members if not self._cluster.running(node)]
        answers = await asyncio.gather(*(self._cluster.start(node) for node in down), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, PowerError):
                raise answer
        await self._ask()

    async def _ask(self) -> None:
        """Learn from a node that answers who the members are."""
        membership = self._cluster.powers.get(Membership)
        told = await standing(membership) if membership is not None else None
        if told is not None:
            self._members = tuple(node for node in self._cluster.nodes if is_member(told, node))
