"""The simulated disk of one node: files whose syncs take time, and whose un-synced parts a power failure may lose.

It survives the node. Each life mounts it, and what a dead life still asks for or waits for does nothing. There are two
copies of each file: `page` is what processes see, `disk` what a power failure leaves; a killed process loses neither.
Un-synced bytes are kept by sectors, none, all, the first ones, the first and a torn one, or any; names each for itself.

Faults are off until asked for, and counted in `effects` when they have had one. This file knows bytes and names, and
nothing of what is in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Literal

from harness.sim.disk import sync_ns
from harness.sim.latency import Chance
from harness.sim.loop import SimLoop
from harness.sim.sectors import Damage, Naming, SimFile
from node.runtime.disk import DiskError, Synced

Operation = Literal["append", "read", "sync"]
Guard = Callable[[Callable[[], None]], None]


def unguarded(act: Callable[[], None]) -> None:
    """Let whatever happens happen."""
    act()


class SimFiles:
    """All files of one node, over all its lives.

    `slow` is a factor for the time of a sync. While `lying`, syncs say that they are done and make nothing durable.
    `capacity` is how many bytes there is space for, or None.
    """

    def __init__(self, loop: SimLoop, node: str, rng: Random) -> None:
        self.slow = 1.0
        self.lying = False
        self.capacity: int | None = None
        self.effects: Counter[str] = Counter()
        self.loop = loop
        self.node = node
        self.life = 0
        self._rng = rng
        self._names: dict[str, SimFile] = {}
        self._durable: dict[str, SimFile] = {}
        self._namings: list[Naming] = []
        self._named = 0
        self._failing: list[Operation] = []
        self._misdirecting = False
        self._chance = Chance(str(rng.getrandbits(64)))

    def mount(self, guard: Guard = unguarded) -> Mount:
        """Begin a life; the one before can do nothing any more. The node is told of syncs through `guard`."""
        self.life += 1
        return Mount(self, self.life, guard)

    def crash(self) -> None:
        """The power fails: what was not synced is kept or lost, as is drawn."""
        self.life += 1
        share = self._rng.choice((0.0, 0.5, 1.0))
        for naming in self._namings:
            if self._rng.random() < share:
                naming.apply(self._durable)
        self._namings = []
        self._names = dict(self._durable)
        for file in self._in_order():
            kept = file.lose(self._rng)
            if kept is not None:
                self.effects[f"kept {kept}"] += 1

    def write_back(self) -> None:
        """Make everything durable, as the kernel does by itself within half a minute."""
        self._settle_names(self._named)
        for file in self._in_order():
            file.disk += file.page[len(file.disk) :]

    def wipe(self) -> None:
        """Empty the disk."""
        self.life += 1
        self._names, self._durable, self._namings = {}, {}, []

    def replace(self, contents: dict[str, bytes]) -> None:
        """Put another disk in the place of this one, with these files on it."""
        self.wipe()
        self._names = {name: SimFile(bytearray(data), bytearray(data)) for name, data in contents.items()}
        self._durable = dict(self._names)

    @property
    def used(self) -> int:
        """How many bytes there are in all files, as processes see them."""
        return sum(len(file.page) for file in self._names.values())

    # --- faults ---

    def fail_next(self, operation: Operation) -> None:
        """Let the next operation of this kind fail with EIO."""
        self._failing.append(operation)

    def misdirect_next(self) -> None:
        """Let one sector of the next sync that writes any land elsewhere, in the same file or in another."""
        self._misdirecting = True

    def forget_faults(self) -> None:
        """Let nothing fail that has not failed yet."""
        self._failing = []
        self._misdirecting = False

    def rot(self) -> Damage | None:
        """Flip a bit of a file at rest; None when there is nothing to rot."""
        name, at = self._somewhere()
        if name is None:
            return None
        bit = 1 << self._rng.randrange(8)
        file = self._names[name]
        file.disk[at] ^= bit
        file.page[at] ^= bit
        self.effects["rot"] += 1
        return Damage(name, at, 1)

    def truncate(self) -> Damage | None:
        """Cut a file at rest; None when there is nothing to cut."""
        name, at = self._somewhere()
        if name is None:
            return None
        file = self._names[name]
        cut = len(file.disk) - at
        del file.disk[at:], file.page[at:]
        self.effects["truncation"] += 1
        return Damage(name, at, cut)

    def _somewhere(self) -> tuple[str | None, int]:
        """A byte that is durable, any with the same chance."""
        sizes = [(name, len(self._names[name].disk)) for name in sorted(self._names)]
        total = sum(size for _, size in sizes)
        at = self._rng.randrange(total) if total else 0
        for name, size in sizes:
            if at < size:
                return name, at
            at -= size
        return None, 0

    # --- what a mount asks for ---

    def sync_ns(self) -> int:
        """How long a sync takes."""
        self.effects["sync"] += 1
        if self.slow != 1.0:
            self.effects["slow sync"] += 1
        return round(sync_ns(self._chance, self.loop.now_ns) * self.slow)

    def names(self) -> list[str]:
        """The files there are."""
        return sorted(self._names)

    def read(self, name: str) -> bytes:
        """All that processes see of a file."""
        file = self._file(name)
        if self._fails("read"):
            raise self._failed(name, "Input/output error")
        return bytes(file.page)

    def append(self, name: str, data: bytes) -> None:
        """Append, or fail after a drawn part of it."""
        file = self._names.get(name)
        if file is None:
            file = SimFile()
            self.name(file, None, name)
        if self._fails("append"):
            file.page += data[: self._rng.randint(0, len(data))]
            raise self._failed(name, "Input/output error")
        if self.capacity is not None and len(data) > (left := self._space_left()):
            file.page += data[: self._rng.randint(0, left)]
            self.effects["no space"] += 1
            raise self._failed(name, "No space left on device")
        file.page += data

    def reserve(self, name: str, size: int) -> None:
        """Note that there may be so many zeros after the end."""
        file = self._file(name)
        file.room = len(file.page) + size

    def begin_sync(self, name: str) -> Callable[[], DiskError | None]:
        """Begin to sync what is there now; call the result when it has taken its time."""
        file = self._file(name)
        end = len(file.page)
        failed = self._failed(name, "Input/output error") if self._fails("sync") else None
        lying = self.lying

        def end_sync() -> DiskError | None:
            start = len(file.disk)
            if failed is not None:
                file.keep(end, "any", self._rng)
                file.disk += bytes(max(0, end - len(file.disk)))
            elif lying:
                self.effects["lying sync"] += end > start
            elif end > start:
                file.disk += file.page[start:end]
                self._misdirect(file, start)
            return failed

        return end_sync

    def begin_sync_names(self) -> Callable[[], DiskError | None]:
        """Begin to sync the names; call the result when it has taken its time."""
        failed = self._failed(".", "Input/output error") if self._fails("sync") else None
        named, lying = self._named, self.lying

        def end_sync() -> DiskError | None:
            if lying:
                self.effects["lying sync"] += bool(self._namings)
            elif failed is None:
                self._settle_names(named)
            return failed

        return end_sync

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        self.name(self._file(old), old, new)

    def remove(self, name: str) -> None:
        """Remove a file."""
        self.name(self._file(name), name, None)

    def draw(self) -> int:
        """Return 64 bits."""
        return self._rng.getrandbits(64)

    def name(self, file: SimFile, loses: str | None, gets: str | None) -> None:
        """Change names, for now for processes only."""
        self._named += 1
        naming = Naming(self._named, file, loses, gets)
        naming.apply(self._names)
        self._namings.append(naming)

    # --- what becomes of it ---

    def _settle_names(self, named: int) -> None:
        for naming in self._namings:
            if naming.number <= named:
                naming.apply(self._durable)
        self._namings = [naming for naming in self._namings if naming.number > named]

    def _misdirect(self, file: SimFile, start: int) -> None:
        if self._misdirecting:
            self._misdirecting = False
            name, at = self._somewhere()
            assert name is not None
            file.misdirect(start, self._names[name], at, self._rng)
            self.effects["misdirected write"] += 1

    def _in_order(self) -> list[SimFile]:
        return [self._names[name] for name in sorted(self._names)]

    def _space_left(self) -> int:
        assert self.capacity is not None
        return max(0, self.capacity - self.used)

    def _fails(self, operation: Operation) -> bool:
        if operation not in self._failing:
            return False
        self._failing.remove(operation)
        self.effects[f"failed {operation}"] += 1
        return True

    def _file(self, name: str) -> SimFile:
        if name not in self._names:
            raise self._failed(name, "No such file or directory")
        return self._names[name]

    def _failed(self, name: str, said: str) -> DiskError:
        return DiskError(f"{self.node}/{name}: {said}")


class Mount:
    """The `Disk` of one life of a node."""

    def __init__(self, files: SimFiles, life: int, guard: Guard) -> None:
        self.where = files.node
        self._files = files
        self._life = life
        self._guard = guard

    @property
    def _alive(self) -> bool:
        return self._files.life == self._life

    def names(self) -> list[str]:
        """The files there are."""
        return self._files.names() if self._alive else []

    def read(self, name: str) -> bytes:
        """All of a file."""
        return self._files.read(name) if self._alive else b""

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file."""
        if self._alive:
            self._files.append(name, data)

    def reserve(self, name: str, size: int) -> None:
        """Allow for zeros at the end."""
        if self._alive:
            self._files.reserve(name, size)

    def sync(self, name: str, done: Synced) -> None:
        """Sync, and call back after its time."""
        if self._alive:
            self._later(self._files.begin_sync(name), done, name)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        if self._alive:
            self._files.rename(old, new)

    def remove(self, name: str) -> None:
        """Remove a file."""
        if self._alive:
            self._files.remove(name)

    def sync_names(self, done: Synced) -> None:
        """Sync the names, and call back after its time."""
        if self._alive:
            self._later(self._files.begin_sync_names(), done, "names")

    def draw(self) -> int:
        """Return 64 bits."""
        return self._files.draw()

    def close(self) -> None:
        """End this life; the machine goes on, and nothing is lost."""
        if self._alive:
            self._files.life += 1

    def _later(self, end_sync: Callable[[], DiskError | None], done: Synced, name: str) -> None:
        def synced() -> None:
            if self._alive:
                error = end_sync()
                self._guard(lambda: done(error))

        self._files.loop.after(self._files.sync_ns(), synced, f"{self._files.node} synced {name}")
