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
    Membership,
    Network,
    Pauses,
    PowerError,
    Powers,
    Processes,
    Speed,
    Traffic,
)
from tests.nemesis.fake_links import FakeClocks, FakeConnections, FakeLinks, FakePauses, FakeSpeed
from tests.nemesis.fake_processes import FakeProcesses
from tests.nemesis.fake_ring import FakeMembership
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


class FakeDisks(FakeProcesses):
    """Processes on disks that can be in trouble; one that fails or is full ends its node when it is used."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        super().__init__(nodes)
        self.troubles: dict[str, tuple[str, Traffic]] = {}
        self.rotten: dict[str, int] = {}
        self.refuses_rot = False
        self.rot_bytes = 1
        self.copies: list[str] = []
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

    async def copy(self, node: str) -> None:
        """Copy it while it is down."""
        await turns(1)
        assert not self.up[node]
        self.copies.append(node)

    async def put_back(self, node: str) -> bool:
        """Put the copy back while it is down."""
        await turns(1)
        assert not self.up[node]
        assert node in self.copies
        self.log.append(("put back", node))
        return True

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
    def struck(self) -> bool:
        """Whether anything is wrong, or a disk was copied."""
        return not self.whole or bool(self.copies)

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
        Membership: FakeMembership(nodes),
        Pauses: FakePauses(nodes),
        Speed: FakeSpeed(nodes),
        Clocks: FakeClocks(nodes),
        Disks: disks,
    }
