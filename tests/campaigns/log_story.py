"""One node's log on a simulated disk, through many lives: commits, failures, damage, openings; and what came of each.

Every batch carries its number, so what an opening finds says which batch it ends with, and all of it is compared with
what that one and those before it make. A batch follows the one that its life had found or made before. What an opening
finds is a fact only when its life has committed something; if it dies before, the next may find more, or less.

This file knows one story. It does not know how many are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from harness.sim.files import Mount, SimFiles
from harness.sim.loop import virtual
from harness.sim.sectors import SECTOR
from node.core.store import Space
from node.runtime.disk import DiskError
from node.runtime.log_store import LogStore
from node.runtime.ports import EngineError

Changes = list[tuple[Space, bytes, bytes | None]]
Entries = dict[tuple[Space, bytes], bytes]
MakeStore = Callable[[Mount], LogStore]

NUMBER = b"number"
KEYS = 12
COMPACT_BYTES, SLICE_BYTES = 3000, 400
MS = 1_000_000
ANY = 1 << 30
TWO_SECTORS = 2 * SECTOR // 50
"""How many batches the two sectors can hold that a misdirected write damages; each is longer than 50 bytes."""


def small(disk: Mount) -> LogStore:
    """A log that is compacted all the time."""
    return LogStore(disk, compact_bytes=COMPACT_BYTES, slice_bytes=SLICE_BYTES)


@dataclass(frozen=True)
class Fault:
    """What is done to a disk, and what the log promises all the same.

    `living` is done at the beginning of a life or later, `dead` after its end, when what was written has come to rest
    or has not; that is done once between two openings that were completed, for one damage may hide another. `effect`
    is its name among the disk's effects. `noticed` says that damage may be refused, `loses` how many of the last
    acknowledged batches may be lost because it was not.
    """

    name: str
    effect: str
    living: Callable[[SimFiles, Random], None] = lambda files, rng: None
    dead: Callable[[SimFiles], object] = lambda files: None
    rests: bool = False
    noticed: bool = False
    loses: int = 0


def _fill(files: SimFiles, rng: Random) -> None:
    files.capacity = files.used + rng.randrange(3000)


def _slow(files: SimFiles, rng: Random) -> None:
    files.slow = rng.choice((3.0, 20.0))


def _lie(files: SimFiles, rng: Random) -> None:
    files.lying = True


def _misdirect(files: SimFiles, rng: Random) -> None:
    files.misdirect_next()


FAULTS = (
    Fault("none", ""),
    Fault("EIO at a sync", "failed sync", lambda files, rng: files.fail_next("sync")),
    Fault("EIO at an append", "failed append", lambda files, rng: files.fail_next("append")),
    Fault("EIO at a read", "failed read", dead=lambda files: files.fail_next("read")),
    Fault("ENOSPC", "no space", _fill),
    Fault("slow syncs", "slow sync", _slow),
    Fault("bit rot, at rest", "rot", dead=SimFiles.rot, rests=True, noticed=True),
    Fault("truncation, at rest", "truncation", dead=SimFiles.truncate, rests=True, noticed=True),
    Fault("misdirected write, at rest", "misdirected write", _misdirect, rests=True, noticed=True),
    Fault("bit rot, at once", "rot", dead=SimFiles.rot, noticed=True, loses=1),
    Fault("truncation, at once", "truncation", dead=SimFiles.truncate, noticed=True, loses=ANY),
    Fault("misdirected write, at once", "misdirected write", _misdirect, noticed=True, loses=TWO_SECTORS),
    Fault("lying syncs", "lying sync", _lie, noticed=True, loses=ANY),
)  # fmt: skip


@dataclass
class Told:
    """What came of a story, or of many."""

    crashes: int = 0
    injected: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """Count another story in."""
        self.crashes += other.crashes
        self.injected += other.injected
        self.counts.update(other.counts)
        self.broken += other.broken


class Story:
    """A node that commits, dies and opens again, so many times, or until an opening refuses damage."""

    def __init__(self, fault: Fault, seed: int, store: MakeStore = small) -> None:
        self.told = Told()
        self._name = f"{fault.name}, seed {seed}"
        self._fault = fault
        self._rng = Random(f"log-crashes:{fault.name}:{seed}")
        self._loop = virtual()
        self._files = SimFiles(self._loop, "n1", Random(f"log-crashes:disk:{fault.name}:{seed}"))
        self._make = store
        self._store: LogStore
        self._alive = False
        self._damaged = False
        self._life = 0
        self._made: dict[int, Entries] = {0: {}}
        self._before: dict[int, int] = {}
        self._newest = 0
        self._acknowledged = 0

    def tell(self, lives: int) -> Told:
        """Live so many lives."""
        for _ in range(lives):
            if not self._open():
                break
            self._live()
            self._die()
        else:
            self._open()
        self.told.injected += self._files.effects[self._fault.effect]
        return self.told

    # --- a life ---

    def _open(self) -> bool:
        """Open the log and judge what it holds; says whether it did open."""
        for _ in range(3):
            self._alive = True
            self._life += 1
            try:
                self._store = self._make(self._files.mount(self._guard(self._life)))
            except DiskError:
                self.told.counts["disk failed"] += 1
                self._files.capacity = None
            except EngineError as error:
                self.told.counts["refused"] += 1
                if not self._fault.noticed:
                    self._broken(f"refused: {error}")
                return False
            except Exception as error:
                self._broken(f"an opening raised {error!r}")
                return False
            else:
                return self._judge()
        self._broken("three openings in a row found the disk failing")
        return False

    def _judge(self) -> bool:
        """What is there is what some batch and those before it make, and all that was acknowledged is among them."""
        found: Entries = {
            (space, key): value for space in Space for key, value in self._store.scan(space, b"", 1 << 20)
        }
        number = int(self._store.get(Space.META, NUMBER) or b"0")
        if found != self._made.get(number):
            self.told.counts["wrong"] += 1
            self._broken(f"wrong data, which should be those of batch {number}")
            return False
        lost = self._lost(number)
        if not lost:
            self.told.counts["fully" if number == len(self._before) else "prefix"] += 1
        else:
            self.told.counts["lost"] += 1
            if lost > self._fault.loses:
                said = f"opened at batch {number}; batch {self._acknowledged} was acknowledged"
                self._broken(f"{said}; {lost} are lost, {self._fault.loses} may be")
            self._acknowledged = number
        self._newest = number
        return True

    def _lost(self, number: int) -> int:
        """How many batches, back from the last one acknowledged, are not among this one and those before it."""
        lost, kept = 0, self._acknowledged
        while kept != number:
            if kept > number:
                lost, kept = lost + 1, self._before[kept]
            else:
                number = self._before[number]
        return lost

    def _live(self) -> None:
        """Commit one batch after another, up to some moment; many lives end before their opening has."""
        rng, life = self._rng, self._life
        span = rng.randrange(rng.choice((4, 8, 25, 80)) * MS)

        def strike() -> None:
            if self._life == life:
                self._fault.living(self._files, rng)

        if rng.random() < 0.5:
            self._loop.after(rng.choice((0, rng.randrange(span + 1))), strike, "fault")
        self._commit()
        end = self._loop.create_future()
        self._loop.after(span, lambda: end.set_result(None), "end")
        self._loop.run_until_complete(end)
        self._damaged = self._damaged and not self._store._ready
        if self._alive:
            self.told.counts["while opening"] += not self._store._ready
            self.told.counts["while compacting"] += self._store._compaction is not None

    def _commit(self) -> None:
        number, guard = len(self._made), self._guard(self._life)
        changes: Changes = [(Space.META, NUMBER, b"%d" % number)]
        for _ in range(self._rng.choice((1, 1, 2, 5))):
            key = b"%d" % self._rng.randrange(KEYS)
            value = None if self._rng.random() < 0.2 else self._rng.randbytes(self._rng.choice((0, 20, 200, 700)))
            changes.append((self._rng.choice((Space.DATA, Space.HINTS)), key, value))
        self._before[number] = self._newest
        self._made[number] = made_of(self._made[self._newest], changes)
        self._newest = number

        def done() -> None:
            self._acknowledged = number
            self._loop.after(self._rng.randrange(MS), lambda: guard(self._commit), "next")

        for space, key, value in changes:
            self._store.stage(space, key, value)
        guard(lambda: self._store.commit(done))

    def _guard(self, life: int) -> Callable[[Callable[[], None]], None]:
        """What keeps a failing disk's error to the life that it ends."""

        def guard(act: Callable[[], None]) -> None:
            if self._alive and self._life == life:
                try:
                    act()
                except EngineError:
                    self._alive = False

        return guard

    def _die(self) -> None:
        """The process is killed, or the power fails as well, or only when the next life has hardly begun."""
        self._alive = False
        self._store.close()
        files, rng = self._files, self._rng
        files.slow, files.lying = 1.0, False
        files.forget_faults()
        if self._fault.rests:
            files.write_back()
        power = self._fault.noticed or rng.random() < 0.5
        if power:
            files.crash()
        self.told.counts["power" if power else "kill"] += 1
        self.told.crashes += 1
        if rng.random() < 0.5 and not self._damaged:
            self._damaged = self._fault.dead(files) is not None

    def _broken(self, said: str) -> None:
        self.told.broken.append(f"{self._name}: {said}")


def made_of(before: Entries, changes: Changes) -> Entries:
    """What a batch makes of what was there before."""
    entries = dict(before)
    for space, key, value in changes:
        if value is None:
            entries.pop((space, key), None)
        else:
            entries[space, key] = value
    return entries
