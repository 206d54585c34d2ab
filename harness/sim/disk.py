"""A stand-in for a database on one node's disk: a memory store whose commits take time and are atomic.

What was staged and not sealed is lost in a crash. A commit that was under way in the crash has happened or has not,
as a whole; which of the two is drawn. This file knows commits. It does not know files.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.sim.latency import Chance, Latency
from harness.sim.loop import SimLoop
from nemesis.powers import PowerError, Traffic
from node.runtime.memory import Batch, Image, MemoryStore
from node.runtime.ports import EngineError

SYNC_US_MEDIAN = 900.0
SYNC_SIGMA = 0.9
"""A log-normal time for one sync: a solid-state disk with a tail (median 0.9 ms, p99.9 about 15 ms)."""

STALL_SHARE = 0.005
STALL_MS = (20, 120)
"""One sync in two hundred waits for something else: the disk's own housekeeping, a neighbour, a barrier of another
file.
"""

_SYNC = Latency(SYNC_US_MEDIAN, SYNC_SIGMA)


def sync_ns(chance: Chance, now_ns: int) -> int:
    """Draw the time of a sync that begins now."""
    if chance.at(now_ns, 1) < STALL_SHARE:
        least, most = STALL_MS
        return int((least + (most - least) * chance.at(now_ns, 2)) * 1_000_000)
    return _SYNC.draw_ns(chance.at(now_ns))


class SimDisk(MemoryStore):
    """An engine on virtual time. `image` survives a crash and is handed to the next life of the node.

    The node is told through `guard`, which keeps an error of the node's from ending more than the node. A sync takes
    `factor` times as long as drawn, and fails if it ends while `failing` is set; `traffic` counts both. What a failed
    sync has written is drawn in the crash that follows.
    """

    durable = True

    def __init__(
        self,
        loop: SimLoop,
        node: str,
        rng: random.Random,
        image: Image | None = None,
        guard: Callable[[Callable[[], None]], None] = lambda act: act(),
    ) -> None:
        super().__init__(image)
        self.factor = 1.0
        self.failing = False
        self.traffic: Traffic | None = None
        self._guard = guard
        self._loop = loop
        self._label = f"{node} synced"
        self._rng = rng
        self._chance = Chance(str(rng.getrandbits(64)))
        self._under_way: Batch | None = None

    def commit(self, done: Callable[[], None]) -> None:
        """Commit what is staged now, after the time of a sync."""
        self._count(hit=self.factor != 1.0)
        batch = self._under_way = self.seal()

        def synced() -> None:
            if self._under_way is not batch:
                return
            if self.failing:
                self._count(hit=True, seen=False)
                self._guard(self._refuse)
                return
            self._under_way = None
            self.settle(batch)
            self._guard(done)

        self._loop.after(round(sync_ns(self._chance, self._loop.now_ns) * self.factor), synced, self._label)

    def _count(self, *, hit: bool, seen: bool = True) -> None:
        if self.traffic is not None:
            self.traffic.seen += seen
            self.traffic.dropped += hit

    def _refuse(self) -> None:
        raise EngineError("the disk: input/output error at a sync")

    def crash(self) -> None:
        """Lose what is not durable; the commit under way is drawn."""
        if self._under_way is not None and self._rng.random() < 0.5:
            self.settle(self._under_way)
        self._under_way = None


class AtomicStorage:
    """The stand-in's disk over all lives of its node."""

    def __init__(self, loop: SimLoop, node: str, rng: random.Random) -> None:
        self._loop = loop
        self._node = node
        self._rng = rng
        self._image: Image | None = None
        self._disk: SimDisk | None = None
        self._trouble: tuple[str, float, Traffic] | None = None

    def open(self, guard: Callable[[Callable[[], None]], None]) -> SimDisk:
        """An engine on what the last life has left."""
        self._disk = SimDisk(self._loop, self._node, random.Random(self._rng.getrandbits(64)), self._image, guard)
        self._image = self._disk.image
        self._apply()
        return self._disk

    def crash(self) -> None:
        """Lose what is not durable."""
        if self._disk is not None:
            self._disk.crash()
            self._disk = None

    def wipe(self) -> None:
        """Lose everything."""
        self._image = None

    @contextmanager
    def trouble(self, kind: str, amount: float) -> Iterator[Traffic]:
        """Be slow or fail; raises `PowerError` for what takes files."""
        if kind not in ("slow", "failing"):
            raise PowerError(f"{self._node}: a {kind} disk needs files; run with --engine log")
        traffic = Traffic()
        self._trouble = kind, amount, traffic
        self._apply()
        try:
            yield traffic
        finally:
            self._trouble = None
            self._apply()

    def damage(self, kind: str) -> int:
        """Refuse: there are no files."""
        raise PowerError(f"{self._node}: {kind} needs files; run with --engine log")

    def copy(self) -> Callable[[], bool]:
        """Copy what is durable."""
        kept = copy.deepcopy(self._image)

        def put_back() -> bool:
            new, self._image = self._image, copy.deepcopy(kept)
            return new != kept

        return put_back

    def _apply(self) -> None:
        if self._disk is not None:
            kind, amount, traffic = self._trouble or (None, 1.0, None)
            self._disk.factor = amount if kind == "slow" else 1.0
            self._disk.failing = kind == "failing"
            self._disk.traffic = traffic
