"""The simulated disk of one node: a memory store whose commits take time.

What was staged and not sealed is lost in a crash. A commit that was under way in the crash has happened or has not,
as a whole; which of the two is drawn.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from harness.sim.loop import SimLoop
from node.runtime.memory import Batch, Image, MemoryStore

SYNC_US_MEDIAN = 900
SYNC_SIGMA = 0.9
"""A log-normal time for one sync: a solid-state disk with a tail (median 0.9 ms, p99.9 about 15 ms)."""

STALL_SHARE = 0.005
STALL_MS = (20, 120)
"""One sync in two hundred waits for something else: the disk's own housekeeping, a neighbour, a barrier of another
file.
"""


def _unguarded(act: Callable[[], None]) -> None:
    act()


class SimDisk(MemoryStore):
    """An engine on virtual time. `image` survives a crash and is handed to the next life of the node.

    The node is told through `guard`, which keeps an error of the node's from ending more than the node.
    """

    durable = True

    def __init__(
        self,
        loop: SimLoop,
        node: str,
        rng: random.Random,
        image: Image | None = None,
        guard: Callable[[Callable[[], None]], None] = _unguarded,
    ) -> None:
        super().__init__(image)
        self._guard = guard
        self._loop = loop
        self._node = node
        self._rng = rng
        self._under_way: Batch | None = None

    def commit(self, done: Callable[[], None]) -> None:
        """Commit what is staged now, after the time of a sync."""
        batch = self._under_way = self.seal()

        def synced() -> None:
            if self._under_way is batch:
                self._under_way = None
                self.settle(batch)
                self._guard(done)

        self._loop.after(self._sync_ns(), synced, f"{self._node} synced {len(batch)}")

    def _sync_ns(self) -> int:
        if self._rng.random() < STALL_SHARE:
            return self._rng.randint(*STALL_MS) * 1_000_000
        return int(SYNC_US_MEDIAN * 1000 * math.exp(self._rng.gauss(0, SYNC_SIGMA)))

    def crash(self) -> None:
        """Lose what is not durable; the commit under way is drawn."""
        if self._under_way is not None and self._rng.random() < 0.5:
            self.settle(self._under_way)
        self._under_way = None
