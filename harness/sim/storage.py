"""What a simulated node keeps its data on, over all its lives: one storage a node, one engine a life.

- `log`: the log engine's own code on simulated files;
- `sqlite`: a stand-in for it, a map whose commits happen whole or not at all, as its write-ahead log has them;
- `memory`: gone with the process.

This file knows which engine lies on what. It does not know what an engine does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Protocol

from harness.sim.disk import AtomicStorage
from harness.sim.files import SimFiles, unguarded
from harness.sim.loop import SimLoop
from nemesis.powers import PowerError, Traffic
from node.runtime.log_store import LogStore
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

    def copy(self) -> Callable[[], bool]:
        """Copy all that is on it; whoever calls the answer puts that back, and is told whether it is something else."""


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

    def copy(self) -> Callable[[], bool]:
        """Refuse: there is no disk."""
        raise PowerError(f"{self._node}: there is no disk to be copied; run with --engine log")


_EFFECTS = {"slow": "slow sync", "failing": "failed sync", "full": "no space", "lying": "lying sync"}
"""What simulated files call it when a trouble has had its effect."""


COMPACT_BYTES = 64 << 10
"""When a simulated log is compacted: early, so that short runs do it too."""


class LogStorage:
    """Files over all lives of their node, and the log engine on them."""

    def __init__(self, loop: SimLoop, node: str, rng: Random) -> None:
        self._node = node
        self._files = SimFiles(loop, node, rng)

    def open(self, guard: Callable[[Callable[[], None]], None]) -> Engine:
        """Read what the last life has left; raises `EngineError` when that is damaged."""
        return LogStore(self._files.mount(guard), compact_bytes=COMPACT_BYTES)

    def crash(self) -> None:
        """The power fails."""
        self._files.crash()

    def wipe(self) -> None:
        """Replace the disk."""
        self._files.wipe()

    @contextmanager
    def trouble(self, kind: str, amount: float) -> Iterator[Traffic]:
        """Be slow, full, failing or lying."""
        files, traffic = self._files, Traffic()
        syncs, hits = files.effects["sync"], files.effects[_EFFECTS[kind]]
        match kind:
            case "slow":
                files.slow = amount
            case "failing":
                files.fail_next("sync")
            case "full":
                files.capacity = round(amount) + files.used
            case "lying":
                files.lying = True
        try:
            yield traffic
        finally:
            files.slow, files.capacity, files.lying = 1.0, None, False
            files.forget_faults()
            traffic.seen = files.effects["sync"] - syncs
            traffic.dropped = files.effects[_EFFECTS[kind]] - hits

    def damage(self, kind: str) -> int:
        """Flip a bit, or cut a file short."""
        done = self._files.rot() if kind == "rot" else self._files.truncate()
        return 0 if done is None else done.size

    def copy(self) -> Callable[[], bool]:
        """Copy the files."""
        files = self._files
        kept = {name: files.mount(unguarded).read(name) for name in files.names()}

        def put_back() -> bool:
            new = {name: files.mount(unguarded).read(name) for name in files.names()}
            files.replace(kept)
            return new != kept

        return put_back


def storage(engine: str, loop: SimLoop, node: str, rng: Random) -> Storage:
    """The storage of one node for that engine."""
    kinds: dict[str, type[Storage]] = {"log": LogStorage, "sqlite": AtomicStorage, "memory": NoStorage}
    make: Callable[[SimLoop, str, Random], Storage] = kinds[engine]
    return make(loop, node, rng)
