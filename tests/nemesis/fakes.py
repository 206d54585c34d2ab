"""Powers over a cluster that exists in memory only, for tests of faults.

Every method takes a few turns of the loop, so that a test can cancel in the middle of it, and cancelling one in the
middle leaves its work half done, as in real life. `whole` says whether everything is as it was at the beginning, and
`use` does what gives a fault its effect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from nemesis.powers import (
    Clocks,
    Connections,
    Cut,
    Disks,
    Link,
    Links,
    Network,
    Pauses,
    PowerError,
    Powers,
    Processes,
    Speed,
    Traffic,
)
from tests.nemesis.fake_links import FakeClocks, FakeConnections, FakeLinks, FakePauses, FakeSpeed
from tests.nemesis.turns import NODES, turns

__all__ = ["NODES", "FakeDisks", "FakeNetwork", "FakeProcesses", "fake_powers", "turns"]


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


class FakeDisks(FakeProcesses):
    """Processes on disks that can be in trouble; one that fails or is full ends its node when it is used."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        super().__init__(nodes)
        self.troubles: dict[str, tuple[str, Traffic]] = {}
        self.rotten: dict[str, int] = {}
        self.refuses_rot = False
        self.rot_bytes = 1
        self.patient = False

    @asynccontextmanager
    async def trouble(self, node: str, kind: str, amount: float) -> AsyncIterator[Traffic]:
        """Give it trouble."""
        assert amount >= 0
        await turns(1)
        traffic = Traffic()
        self.troubles[node] = kind, traffic
        try:
            await turns(1)
            yield traffic
        finally:
            await turns(1)
            del self.troubles[node]

    async def damage(self, node: str, kind: str) -> int:
        """Damage it while it is down."""
        await turns(1)
        assert not self.up[node]
        assert kind == "rot"
        self.rotten[node] = self.rot_bytes
        return self.rot_bytes

    async def start(self, node: str) -> None:
        """Start it, unless it refuses what it finds."""
        if self.refuses_rot and self.rotten.get(node):
            raise PowerError(f"{node} ended while it was starting")
        await super().start(node)

    async def wipe(self, node: str) -> None:
        """Empty its disk, and the damage is gone."""
        await super().wipe(node)
        self.rotten.pop(node, None)

    def use(self) -> None:
        """Sync once on every disk in trouble."""
        for node, (kind, traffic) in self.troubles.items():
            traffic.seen += 1
            traffic.dropped += 1
            if kind in ("failing", "full") and not self.patient:
                self.up[node] = False

    @property
    def whole(self) -> bool:
        """Whether every node runs on a disk without trouble."""
        return super().whole and not self.troubles


def fake_powers(nodes: Sequence[str] = NODES) -> Powers:
    """Every power there is a fake of; whoever has power over disks has it over the processes on them."""
    disks = FakeDisks(nodes)
    return {
        Network: FakeNetwork(nodes),
        Links: FakeLinks(nodes),
        Connections: FakeConnections(nodes),
        Processes: disks,
        Pauses: FakePauses(nodes),
        Speed: FakeSpeed(nodes),
        Clocks: FakeClocks(nodes),
        Disks: disks,
    }
