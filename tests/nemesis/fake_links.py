"""Powers over links, processors and clocks that exist in memory only; `tests.nemesis.fakes` says how they behave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from nemesis.powers import Disturbance, Disturbed, Link, PowerError, Skew, Traffic
from tests.nemesis.turns import NODES, turns


class FakeLinks:
    """Links that can be made bad; what is sent meanwhile has everything done to it that was asked for."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        self.nodes = tuple(nodes)
        self.bad: list[tuple[Disturbance, dict[Link, Disturbed]]] = []
        self.heal_fails = False

    @asynccontextmanager
    async def disturb(self, links: Sequence[Link], how: Disturbance) -> AsyncIterator[Mapping[Link, Disturbed]]:
        """Disturb them all in a few turns."""
        await turns(1)
        disturbing = how, {link: Disturbed() for link in links}
        self.bad.append(disturbing)
        try:
            await turns(1)
            yield disturbing[1]
        finally:
            await turns(1)
            if self.heal_fails:
                raise PowerError("the links: rules could not be removed")
            self.bad.remove(disturbing)

    def use(self) -> None:
        """Send a message over each bad link."""
        for how, counts in self.bad:
            for done in counts.values():
                done.seen += 1
                done.delayed += how.delay_ms > 0
                done.lost += how.loss > 0
                done.duplicated += how.duplicate > 0
                done.reordered += how.reorder > 0 and how.reorder_ms > 0
                done.held += how.clogged

    @property
    def whole(self) -> bool:
        """Whether no link is bad."""
        return not self.bad


class FakeConnections:
    """Connections that are being reset or stand; each reset loses one message a link."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        self.nodes = tuple(nodes)
        self.resets = 0

    async def reset(self, links: Sequence[Link]) -> Mapping[Link, int]:
        """Reset them."""
        await turns(1)
        self.resets += 1
        return dict.fromkeys(links, 1)

    def use(self) -> None:
        """Nothing needs to happen for a message to be under way."""

    @property
    def struck(self) -> bool:
        """Whether anything was ever reset: a connection is whole again at once."""
        return self.resets > 0

    whole = True


class FakePauses:
    """Nodes that are frozen or not."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        self.nodes = tuple(nodes)
        self.frozen = dict.fromkeys(nodes, False)
        self.will_not_resume: tuple[str, ...] = ()

    async def pause(self, node: str) -> None:
        """Freeze it."""
        await turns(2)
        self.frozen[node] = True
        await turns(1)

    async def resume(self, node: str) -> None:
        """Thaw it, unless the test forbids it."""
        await turns(2)
        self.frozen[node] = node in self.will_not_resume

    def paused(self, node: str) -> bool:
        """Whether it is frozen."""
        return self.frozen[node]

    def use(self) -> None:
        """Nothing needs to happen for a node to be seen as frozen."""

    @property
    def whole(self) -> bool:
        """Whether nobody is frozen."""
        return not any(self.frozen.values())


class FakeSpeed:
    """Nodes that are slow or not."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        self.nodes = tuple(nodes)
        self.slowed: dict[str, Traffic] = {}

    @asynccontextmanager
    async def slow(self, node: str, step_ms: float) -> AsyncIterator[Traffic]:
        """Slow it down."""
        assert step_ms > 0
        await turns(1)
        self.slowed[node] = Traffic()
        try:
            await turns(1)
            yield self.slowed[node]
        finally:
            await turns(1)
            del self.slowed[node]

    def use(self) -> None:
        """Let two steps come at once."""
        for steps in self.slowed.values():
            steps.seen += 2
            steps.dropped += 1

    @property
    def whole(self) -> bool:
        """Whether nobody is slow."""
        return not self.slowed


class FakeClocks:
    """Clocks that are off or right; `log` keeps every setting."""

    def __init__(self, nodes: Sequence[str] = NODES) -> None:
        self.nodes = tuple(nodes)
        self.skews = {node: Skew() for node in nodes}
        self.count = dict.fromkeys(nodes, 0)
        self.log: list[tuple[str, Skew]] = []
        self.silent: tuple[str, ...] = ()
        self.cannot_set_right = False

    async def skew(self, node: str, skew: Skew) -> None:
        """Set it."""
        await turns(1)
        if self.cannot_set_right and skew == Skew():
            raise PowerError(f"{node} does not take a skew")
        self.skews[node] = skew
        self.log.append((node, skew))
        await turns(1)

    async def seen(self, node: str) -> Skew | None:
        """What the node reads."""
        await turns(1)
        return None if node in self.silent else self.skews[node]

    def reads(self, node: str) -> int:
        """How often it was read while it was off."""
        return self.count[node]

    def use(self) -> None:
        """Let every node read its clock."""
        for node, skew in self.skews.items():
            self.count[node] += skew != Skew()

    @property
    def whole(self) -> bool:
        """Whether all clocks are right."""
        return all(skew == Skew() for skew in self.skews.values())
