"""Watch a simulated run from outside: every message and its fate, every commit and what it made durable.

Whoever watches is told and changes nothing: a watched run has the trace of one that nobody watches. This file knows
flights and engines. It does not know what is made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from harness.sim.network import Flight
from node.core.store import Space
from node.runtime.ports import Engine


class Entry(NamedTuple):
    """What was staged where; a value of None deletes."""

    space: Space
    key: bytes
    value: bytes | None


class Watcher(Protocol):
    """Told what happens while it happens; times are virtual nanoseconds."""

    def flew(self, at_ns: int, flight: Flight, fate: str) -> None:
        """A message was sent, or arrived, or was dropped, lost or refused."""

    def committed(self, at_ns: int, node: str, entries: tuple[Entry, ...]) -> None:
        """What a node had staged in these places is durable."""


class WatchedEngine:
    """An engine that tells what each of its commits made durable."""

    def __init__(self, engine: Engine, committed: Callable[[tuple[Entry, ...]], None]) -> None:
        self.durable = engine.durable
        self.get = engine.get
        self.scan = engine.scan
        self.close = engine.close
        self._engine = engine
        self._committed = committed
        self._staged: dict[tuple[Space, bytes], Entry] = {}

    def stage(self, space: Space, key: bytes, value: bytes | None) -> None:
        """Set or delete, to be committed later."""
        self._staged[space, key] = Entry(space, key, value)
        self._engine.stage(space, key, value)

    def commit(self, done: Callable[[], None]) -> None:
        """Commit, and tell so before the node is told."""
        entries, self._staged = tuple(self._staged.values()), {}

        def told() -> None:
            self._committed(entries)
            done()

        self._engine.commit(told)
