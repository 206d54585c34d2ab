"""Powers over a cluster that exists in memory only, for tests of faults.

Every method takes a few turns of the loop, so that a test can cancel in the middle of it, and cancelling one in the
middle leaves its work half done, as in real life. `whole` says whether everything is as it was at the beginning.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nemesis.powers import Cut, Link, Network, PowerError, Powers, Processes, Traffic

NODES = ("n1", "n2", "n3", "n4", "n5")


async def turns(count: int) -> None:
    """Let others run that many times."""
    for _ in range(count):
        await asyncio.sleep(0)


class FakeNetwork:
    """Links that can be cut, and that carry what a test sends."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        self.nodes = tuple(nodes)
        self.cuts: Counter[Link] = Counter()
        self.open: list[dict[Link, Traffic]] = []
        self.heal_fails = False

    @asynccontextmanager
    async def cut(self, links: Sequence[Link]) -> AsyncIterator[Cut]:
        """Cut them one after the other, and heal them one after the other."""
        traffic = {link: Traffic() for link in links}
        done: list[Link] = []
        try:
            for link in links:
                self.cuts[link] += 1
                done.append(link)
                await turns(1)
            self.open.append(traffic)
            yield traffic
        finally:
            if self.heal_fails:
                raise PowerError("the network: rules could not be removed")
            for link in done:
                await turns(1)
                self.cuts[link] -= 1

    def send(self, source: str, target: str) -> bool:
        """Whether a message would arrive; counted by every open cut of the link."""
        passes = self.cuts[source, target] == 0
        for traffic in self.open:
            if (source, target) in traffic:
                traffic[source, target].seen += 1
                traffic[source, target].dropped += not passes
        return passes

    def use(self) -> None:
        """Send one message over every link."""
        for source in self.nodes:
            for target in self.nodes:
                if source != target:
                    self.send(source, target)

    @property
    def whole(self) -> bool:
        """Whether no link is cut."""
        return not any(self.cuts.values())


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


def fake_powers(nodes: Sequence[str] = NODES) -> Powers:
    """Every power there is a fake of."""
    return {Network: FakeNetwork(nodes), Processes: FakeProcesses(nodes)}
