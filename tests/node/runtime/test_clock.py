"""The clock of a real loop: never early, in order, and cancelled for good."""

from __future__ import annotations

import asyncio

import pytest

from node.runtime.clock import LoopClock
from tests.node.runtime.loops import run, until


def test_nothing_comes_early() -> None:
    """Also delays of less than a loop's own unit of time, and when a turn of the loop takes long."""

    async def main() -> None:
        clock = LoopClock(asyncio.get_running_loop())
        early: list[int] = []

        def ask(delay_ns: int) -> None:
            due_ns = clock.now_ns() + delay_ns
            clock.after(delay_ns, lambda: early.append(due_ns - clock.now_ns()))

        for delay_ns in (1, 100_000, 400_000, 999_999, 1_000_001, 3_500_000, 20_000_000):
            ask(delay_ns)
        await until(lambda: len(early) == 7)
        assert max(early) <= 0
        assert min(early) > -1_000_000_000

    run(main)


def test_no_delay_means_after_what_is_ready() -> None:
    """In the order in which it was asked for, and not within the asking."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        clock = LoopClock(loop)
        order: list[str] = []
        loop.call_soon(order.append, "ready")
        clock.after(0, lambda: order.append("first"))
        clock.after(0, lambda: order.append("second"))
        assert order == []
        await until(lambda: len(order) == 3)
        assert order == ["ready", "first", "second"]

    run(main)


@pytest.mark.parametrize("delay_ns", [0, 1_000, 2_000_000])
def test_what_is_cancelled_never_comes(delay_ns: int) -> None:
    """Whatever the delay was."""

    async def main() -> None:
        clock = LoopClock(asyncio.get_running_loop())
        came: list[str] = []
        clock.after(delay_ns, lambda: came.append("cancelled")).cancel()
        clock.after(delay_ns + 5_000_000, lambda: came.append("kept"))
        await until(lambda: came)
        assert came == ["kept"]

    run(main)


def test_the_offset_is_what_it_was_set_to() -> None:
    """And changes nothing about differences."""

    async def main() -> None:
        clock = LoopClock(asyncio.get_running_loop())
        before = clock.now_ns()
        assert clock.offset_ns() == 0
        clock.offset = -3_600_000_000_000
        assert clock.offset_ns() == -3_600_000_000_000
        assert 0 <= clock.now_ns() - before < 1_000_000_000

    run(main)
