"""What a simulated node keeps its data on, over all its lives: one storage a node, one engine a life.

- `log`: the log engine's own code on simulated files;
- `sqlite`: a stand-in for it, a map whose commits happen whole or not at all, as its write-ahead log has them;
- `memory`: gone with the process.

This file knows which engine lies on what. It does not know what an engine does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random
from typing import Protocol

from harness.sim.disk import AtomicStorage
from harness.sim.loop import SimLoop
from nemesis.powers import PowerError, Traffic
from node.runtime.memory import MemoryStore
from node.runtime.ports import Engine


class Storage(Protocol):
    """The disk of one node."""

    def open(self, guard: Callable[[Callable[[], None]], None]) -> Engine:
        """An engine for a new life, whose callbacks go through `guard`."""

    def crash(self) -> None:
        """The life is over: lose what was not durable."""

    def wipe(self) -> None:
        """Lose everything."""

    def trouble(self, kind: str, amount: float) -> AbstractContextManager[Traffic]:
        """Be slow, full, failing or lying for as long as the context is open; `PowerError` for what cannot be."""

    def damage(self, kind: str) -> int:
        """Rot, or be cut short, and say by how many bytes; `PowerError` for what cannot be."""


class NoStorage:
    """Nothing that outlives a process."""

    def __init__(self, _loop: SimLoop, node: str, _rng: Random) -> None:
        self._node = node

    def open(self, _guard: Callable[[Callable[[], None]], None]) -> Engine:
        """An empty store."""
        return MemoryStore()

    def crash(self) -> None:
        """Everything is lost already."""

    def wipe(self) -> None:
        """Everything is lost already."""

    def trouble(self, kind: str, _amount: float) -> AbstractContextManager[Traffic]:
        """Refuse: there is no disk."""
        raise PowerError(f"{self._node}: there is no disk to be {kind}; run with --engine log")

    def damage(self, kind: str) -> int:
        """Refuse: there is no disk."""
        raise PowerError(f"{self._node}: there is no disk for {kind}; run with --engine log")


def storage(engine: str, loop: SimLoop, node: str, rng: Random) -> Storage:
    """The storage of one node for that engine."""
    if engine == "memory":
        return NoStorage(loop, node, rng)
    return AtomicStorage(loop, node, rng)
