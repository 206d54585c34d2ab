"""Nodes that run or do not, in memory only; `tests.nemesis.fakes` says how powers behave."""

from __future__ import annotations

from collections.abc import Sequence

from nemesis.powers import PowerError
from tests.nemesis.turns import NODES, turns


class FakeProcesses:
    """Nodes that run or do not, and disks that are full or not; `log` keeps what was done, in order."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        self.nodes = tuple(nodes)
        self.up = dict.fromkeys(nodes, True)
        self.log: list[tuple[str, str]] = []
        self.will_not_start: tuple[str, ...] = ()

    async def kill(self, node: str) -> None:
        """End it at once."""
        await self._end("kill", node)

    async def stop(self, node: str) -> None:
        """End it politely."""
        await self._end("stop", node)

    async def start(self, node: str) -> None:
        """Start it, unless the test forbids it."""
        await turns(2)
        if node in self.will_not_start:
            raise PowerError(f"{node} did not answer")
        if self.up[node]:
            raise PowerError(f"{node} is running already")
        self.up[node] = True
        self.log.append(("start", node))
        await turns(2)

    async def wipe(self, node: str) -> None:
        """Empty its disk."""
        await turns(1)
        if self.up[node]:
            raise PowerError(f"{node} is running; its disk is in use")
        self.log.append(("wipe", node))
        await turns(1)

    def running(self, node: str) -> bool:
        """Whether it runs."""
        return self.up[node]

    def use(self) -> None:
        """Nothing needs to happen for a node to be seen as down."""

    @property
    def whole(self) -> bool:
        """Whether every node runs."""
        return all(self.up.values())

    async def _end(self, how: str, node: str) -> None:
        await turns(2)
        if not self.up[node]:
            raise PowerError(f"{node} was not running")
        self.up[node] = False
        self.log.append((how, node))
        await turns(2)
