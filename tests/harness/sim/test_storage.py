"""What nodes keep their data on: one storage over all lives, and what can be done to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from harness.sim.loop import SimLoop, run, virtual
from harness.sim.storage import Storage, storage
from nemesis.powers import PowerError, Traffic
from node.core.store import Space
from node.runtime.ports import EngineError


class _Node:
    """Commits, takes what its disk tells it, and dies of errors."""

    def __init__(self, under: Storage) -> None:
        self._under = under
        self.error: Exception | None = None
        self.committed = 0
        self.engine = under.open(self.act)

    def act(self, act: Callable[[], None]) -> None:
        """Do it; an error is the end."""
        try:
            act()
        except EngineError as error:
            self.error = error
            self._under.crash()

    def put(self, key: bytes) -> None:
        """Stage and commit."""
        self.act(lambda: self._put(key))

    def _put(self, key: bytes) -> None:
        self.engine.stage(Space.DATA, key, bytes(100))
        self.engine.commit(self._done)

    def _done(self) -> None:
        self.committed += 1

    async def put_many(self, count: int) -> None:
        """One after the other, as long as it lives."""
        for _ in range(count):
            before = self.committed
            self.put(b"%d" % before)
            while self.committed == before and self.error is None:
                await asyncio.sleep(0.01)
            if self.error is not None:
                return

    @property
    def keys(self) -> list[bytes]:
        """What it has."""
        return [key for key, _ in self.engine.scan(Space.DATA, b"", 1000)]


def _made(engine: str, loop: SimLoop, seed: int = 1) -> Storage:
    return storage(engine, loop, "n1", Random(f"storage:{seed}"))


@pytest.mark.parametrize(("engine", "kept"), [("log", 5), ("sqlite", 5), ("memory", 0)])
def test_what_was_committed_outlives_a_crash_where_there_is_a_disk(engine: str, kept: int) -> None:
    """And is gone when the disk is replaced."""
    loop = virtual()

    async def main() -> None:
        under = _made(engine, loop)
        node = _Node(under)
        await node.put_many(5)
        under.crash()
        assert len(_Node(under).keys) == kept
        under.crash()
        under.wipe()
        assert _Node(under).keys == []

    run(main(), loop)


async def _in_trouble(under: Storage, kind: str, amount: float, puts: int) -> tuple[_Node, Traffic]:
    node = _Node(under)
    await node.put_many(3)
    with under.trouble(kind, amount) as traffic:
        await node.put_many(puts)
    return node, traffic


@pytest.mark.parametrize(("kind", "amount", "says"), [("failing", 0, "Input/output"), ("full", 700, "No space left")])
def test_a_disk_that_breaks_ends_the_engine_and_the_next_life_is_well(kind: str, amount: float, says: str) -> None:
    """Nothing that was acknowledged is lost, and the trouble is over."""
    for seed in range(10):
        loop = virtual()

        async def main(loop: SimLoop = loop, seed: int = seed) -> None:
            under = _made("log", loop, seed)
            node, traffic = await _in_trouble(under, kind, amount, 20)
            assert says in str(node.error)
            assert traffic.dropped == 1
            again = _Node(under)
            assert len(again.keys) >= node.committed
            await again.put_many(20)
            assert (again.error, again.committed) == (None, 20)

        run(main(), loop)


def test_a_slow_disk_is_slow_until_the_trouble_ends() -> None:
    """Every sync in it was counted as slow, and none after it."""
    loop = virtual()

    async def main() -> None:
        under = _made("log", loop)
        node, traffic = await _in_trouble(under, "slow", 100, 5)
        assert node.error is None
        assert traffic.seen == traffic.dropped >= 5
        assert loop.now_ns > 200_000_000
        await node.put_many(5)
        assert traffic.dropped == traffic.seen

    run(main(), loop)


def test_a_lying_disk_loses_what_it_said_was_durable() -> None:
    """In some crashes at least, and the lies were counted."""
    lost = []
    for seed in range(10):
        loop = virtual()

        async def main(loop: SimLoop = loop, seed: int = seed) -> int:
            under = _made("log", loop, seed)
            node = _Node(under)
            await node.put_many(3)
            with under.trouble("lying", 0) as traffic:
                await node.put_many(10)
                under.crash()
            assert traffic.dropped > 0
            try:
                return 13 - len(_Node(under).keys)
            except EngineError:
                return 13

        lost.append(run(main(), loop))
    assert max(lost) > 0


def test_rot_is_noticed_or_harmless() -> None:
    """A bit that has flipped is refused, or was in nothing that counts; both occur, and one byte was changed."""
    refused = []
    for seed in range(30):
        loop = virtual()

        async def main(loop: SimLoop = loop, seed: int = seed) -> bool:
            under = _made("log", loop, seed)
            node = _Node(under)
            await node.put_many(5)
            under.crash()
            assert under.damage("rot") == 1
            try:
                again = _Node(under)
            except EngineError:
                return True
            values = {again.engine.get(Space.DATA, key) for key in again.keys}
            assert values <= {bytes(100)}, "it came back with something else than it was given"
            return False

        refused.append(run(main(), loop))
    assert any(refused)


def test_an_empty_disk_has_nothing_to_damage() -> None:
    """It says zero bytes."""
    under = _made("log", virtual())
    assert (under.damage("rot"), under.damage("truncate")) == (0, 0)


def test_memory_has_no_disk_to_break() -> None:
    """Each refusal says what would have one."""
    under = _made("memory", virtual())
    with (
        pytest.raises(PowerError, match="n1: there is no disk to be slow; run with --engine log"),
        under.trouble("slow", 2),
    ):
        pass
    with pytest.raises(PowerError, match="n1: there is no disk for rot; run with --engine log"):
        under.damage("rot")
