"""The simulated disk: a commit takes time, and a crash loses what is not durable, each commit as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from harness.sim.disk import AtomicStorage, SimDisk, sync_ns
from harness.sim.latency import Chance
from harness.sim.loop import SimLoop, run, virtual
from nemesis.powers import PowerError
from node.core.store import Space
from node.runtime.ports import EngineError


def _disk(loop: SimLoop, seed: int = 1) -> SimDisk:
    return SimDisk(loop, "n1", Random(seed))


def _staged(disk: SimDisk, *keys: bytes) -> None:
    for key in keys:
        disk.stage(Space.DATA, key, b"value")


def _durable(disk: SimDisk) -> list[bytes]:
    return sorted(disk.image[Space.DATA])


def test_a_commit_is_durable_when_it_says_so_and_not_before() -> None:
    """After the time of a sync; what is staged is visible all along."""
    loop = virtual()
    disk, done = _disk(loop), asyncio.Event()

    async def main() -> None:
        _staged(disk, b"k")
        assert disk.get(Space.DATA, b"k") == b"value"
        disk.commit(done.set)
        assert _durable(disk) == []
        assert not done.is_set()
        await done.wait()
        assert _durable(disk) == [b"k"]
        assert loop.now_ns > 0

    run(main(), loop)


def test_it_counts_as_a_disk() -> None:
    """A node on it says that what it has committed is durable: the next life finds it."""
    assert _disk(virtual()).durable


def test_what_is_staged_during_a_commit_belongs_to_the_next_one() -> None:
    """The sync that is under way does not cover it."""
    loop = virtual()
    disk, done = _disk(loop), asyncio.Event()

    async def main() -> None:
        _staged(disk, b"first")
        disk.commit(done.set)
        _staged(disk, b"second")
        await done.wait()
        assert _durable(disk) == [b"first"]

    run(main(), loop)


def test_a_crash_loses_what_was_only_staged() -> None:
    """And keeps what was committed."""
    loop = virtual()
    disk, done = _disk(loop), asyncio.Event()

    async def main() -> None:
        _staged(disk, b"kept")
        disk.commit(done.set)
        await done.wait()
        _staged(disk, b"lost")
        disk.crash()

    run(main(), loop)
    again = SimDisk(loop, "n1", Random(2), disk.image)
    assert again.get(Space.DATA, b"kept") == b"value"
    assert again.get(Space.DATA, b"lost") is None


def test_a_commit_under_way_in_a_crash_has_happened_or_has_not_as_a_whole() -> None:
    """Both occur, and nothing in between; and nobody is told, because nobody is there."""
    seen = []
    for seed in range(40):
        loop = virtual()
        disk = _disk(loop, seed)
        told: list[str] = []

        async def main(disk: SimDisk = disk, told: list[str] = told) -> None:
            _staged(disk, b"one", b"two", b"three")
            disk.commit(lambda: told.append("done"))
            _staged(disk, b"later")
            disk.crash()
            await asyncio.sleep(1)

        run(main(), loop)
        assert told == []
        seen.append(_durable(disk))
    assert {len(keys) for keys in seen} == {0, 3}
    assert not any(b"later" in keys for keys in seen)


def test_a_dead_disk_does_not_write_into_the_next_life() -> None:
    """The sync that was under way comes to nothing after the crash, also when the node is back by then."""
    loop = virtual()
    first = next(disk for disk in (_disk(loop, seed) for seed in range(50)) if _loses(disk))

    async def main() -> None:
        again = SimDisk(loop, "n1", Random(1), first.image)
        again.stage(Space.DATA, b"k", b"of the next life")
        again.settle(again.seal())
        await asyncio.sleep(1)
        assert again.image[Space.DATA] == {b"k": b"of the next life"}

    run(main(), loop)


def _loses(disk: SimDisk) -> bool:
    """Crash a disk within a commit; whether the commit was lost."""
    _staged(disk, b"k")
    disk.commit(lambda: None)
    disk.crash()
    return _durable(disk) == []


def test_one_seed_is_one_disk() -> None:
    """The time of every sync is drawn from the disk's own generator."""

    def took(seed: int) -> int:
        loop = virtual()
        disk, done = _disk(loop, seed), asyncio.Event()

        async def main() -> int:
            disk.commit(done.set)
            await done.wait()
            return loop.now_ns

        return run(main(), loop)

    assert took(1) == took(1)
    assert len({took(seed) for seed in range(10)}) == 10


def test_syncs_have_a_tail() -> None:
    """Most take about a millisecond; a few wait for something else, long enough to make a peer impatient."""
    chance = Chance("syncs")
    times_ms = sorted(sync_ns(chance, second * 10**9) / 1e6 for second in range(5000))
    assert times_ms[2500] == pytest.approx(0.9, rel=0.2)
    assert 20 < times_ms[-1] < 200


def _storage(loop: SimLoop, seed: int = 1) -> AtomicStorage:
    return AtomicStorage(loop, "n1", Random(f"storage:{seed}"))


class _Node:
    """Takes what its disk tells it, and dies of errors."""

    def __init__(self, storage: AtomicStorage) -> None:
        self.storage = storage
        self.error: EngineError | None = None
        self.acknowledged = 0
        self.engine = storage.open(self.act)

    def act(self, act: Callable[[], None]) -> None:
        """What the disk has to say."""
        try:
            act()
        except EngineError as error:
            self.error = error
            self.storage.crash()

    def put(self, key: bytes) -> None:
        """Stage and commit."""
        self.engine.stage(Space.DATA, key, b"value")
        self.engine.commit(self.committed)

    def committed(self) -> None:
        """One more is durable."""
        self.acknowledged += 1


def test_a_failing_sync_is_refused_and_what_it_wrote_is_drawn() -> None:
    """Whether it began before or after the disk broke; nothing that was lost was ever acknowledged."""
    kept = []
    for seed in range(40):
        loop = virtual()
        storage = _storage(loop, seed)

        async def main(storage: AtomicStorage = storage) -> list[bytes]:
            node = _Node(storage)
            node.put(b"k")
            with storage.trouble("failing", 0) as traffic:
                await asyncio.sleep(1)
            assert "input/output error" in str(node.error)
            assert node.acknowledged == 0
            assert traffic.dropped == 1
            return sorted(storage.open(node.act).image[Space.DATA])

        kept.append(run(main(), loop))
    assert {tuple(keys) for keys in kept} == {(), (b"k",)}


def test_a_sync_that_outlives_the_trouble_is_acknowledged() -> None:
    """What ends on a whole disk has happened, and whoever waits for it is told so."""
    loop = virtual()
    storage = _storage(loop)

    async def main() -> None:
        node = _Node(storage)
        with storage.trouble("failing", 0) as traffic:
            node.put(b"k")
        await asyncio.sleep(1)
        assert (node.error, node.acknowledged, traffic.dropped) == (None, 1, 0)
        assert node.engine.image[Space.DATA] == {b"k": b"value"}

    run(main(), loop)


def test_a_slow_disk_is_slow_for_this_life_and_the_next() -> None:
    """As many times as was asked for, counted, and no longer than that."""

    def took_ms(factor: float) -> float:
        loop = virtual()
        storage = _storage(loop)

        async def main() -> float:
            with storage.trouble("slow", factor) as traffic:
                node = _Node(storage)
                node.put(b"k")
                while not node.acknowledged:
                    await asyncio.sleep(0.0001)
            assert (traffic.seen, traffic.dropped) == (1, int(factor != 1))
            took = loop.now_ns / 1e6
            node.put(b"k2")
            await asyncio.sleep(0.5)
            assert (traffic.seen, node.acknowledged) == (1, 2), "after the heal nothing is counted"
            return took

        return run(main(), loop)

    assert took_ms(100) == pytest.approx(100 * took_ms(1), rel=0.2)


@pytest.mark.parametrize("kind", ["full", "lying"])
def test_what_takes_files_is_refused(kind: str) -> None:
    """The stand-in has none, and says what has."""
    storage = _storage(virtual())
    with (
        pytest.raises(PowerError, match=f"n1: a {kind} disk needs files; run with --engine log"),
        storage.trouble(kind, 1),
    ):
        pass
    with pytest.raises(PowerError, match="n1: rot needs files"):
        storage.damage("rot")
