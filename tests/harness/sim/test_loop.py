"""The virtual loop: time jumps, everything has one order, nothing comes from outside, and no error passes."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from harness.sim.loop import NS, DeadlockError, SimLoop, run, virtual
from harness.sim.trace import Trace

T = TypeVar("T")


def _run(main: Coroutine[Any, Any, T]) -> T:
    return run(main, virtual())


def _loop() -> SimLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop)
    return loop


def test_time_jumps() -> None:
    """A day of virtual time takes no time, and is exactly a day."""

    async def main() -> int:
        await asyncio.sleep(86_400)
        return _loop().now_ns

    began = time.monotonic()
    assert _run(main()) == 86_400 * NS
    assert time.monotonic() - began < 5


def test_time_stands_still_between_events() -> None:
    """Whatever runs now runs at one time; the wall clock of the machine has nothing to do with it."""

    async def main() -> set[float]:
        times = {_loop().time()}
        for _ in range(10):
            await asyncio.sleep(0)
            times.add(_loop().time())
        return times

    assert _run(main()) == {0.0}


def test_events_come_in_the_order_of_time_and_then_of_asking() -> None:
    """Raw events and asyncio's callbacks stand in one queue: at one time, whoever asked first comes first."""
    log: list[str] = []

    async def main() -> None:
        loop = _loop()
        loop.after(5, lambda: log.append("raw 5"), "raw")
        loop.call_later(5e-9, log.append, "call_later 5")
        loop.call_at(loop.time() + 5e-9, log.append, "call_at 5")
        loop.after(5, lambda: log.append("raw 5 again"), "raw")
        loop.after(3, lambda: log.append("raw 3"), "raw")
        loop.after(0, lambda: log.append("raw 0"), "raw")
        loop.call_soon(log.append, "call_soon")
        await asyncio.sleep(1)

    _run(main())
    assert log == ["raw 0", "call_soon", "raw 3", "raw 5", "call_later 5", "call_at 5", "raw 5 again"]


def test_what_is_cancelled_does_not_happen_and_leaves_no_event() -> None:
    """A cancelled timer stays in the heap and is passed over; the trace does not know of it."""
    trace, log = Trace(keep=True), []

    async def main() -> None:
        loop = _loop()
        raw = loop.after(5, lambda: log.append("raw"), "never")
        handle = loop.call_later(0.1, log.append, "handle")
        raw.cancel()
        handle.cancel()
        await asyncio.sleep(1)

    run(main(), virtual(trace))
    assert log == []
    assert trace.kept is not None
    assert not any("never" in line for line in trace.kept)


def test_a_callback_may_not_be_asked_for_in_the_past() -> None:
    """A negative delay and a time gone by mean now, and time never runs backwards."""
    times: list[int] = []

    async def main() -> None:
        loop = _loop()
        await asyncio.sleep(2)
        loop.call_later(-1, lambda: times.append(loop.now_ns))
        loop.call_at(1.0, lambda: times.append(loop.now_ns))
        await asyncio.sleep(0.1)

    _run(main())
    assert times == [2 * NS, 2 * NS]


def test_a_timeout_cuts_at_its_time() -> None:
    """`asyncio.timeout` works, and is exact."""

    async def main() -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await asyncio.sleep(10)
        return _loop().now_ns

    assert _run(main()) == 3 * NS // 2


def test_gather_waits_for_all_and_keeps_their_order() -> None:
    """Results stand in the order of asking, whoever was first."""

    async def after(seconds: float, value: str) -> str:
        await asyncio.sleep(seconds)
        return value

    async def main() -> tuple[list[str], int]:
        results = await asyncio.gather(after(3, "slow"), after(1, "fast"))
        return list(results), _loop().now_ns

    assert _run(main()) == (["slow", "fast"], 3 * NS)


def test_a_cancelled_task_runs_its_cure_in_virtual_time() -> None:
    """A fault that is cancelled heals, and healing may take time."""
    log: list[tuple[str, int]] = []

    async def fault() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(2)
            log.append(("healed", _loop().now_ns))

    async def main() -> None:
        task = asyncio.ensure_future(fault())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    _run(main())
    assert log == [("healed", 3 * NS)]


def test_locks_and_events_wake_in_order() -> None:
    """Whoever waited first goes first."""
    log: list[int] = []

    async def worker(number: int, lock: asyncio.Lock, go: asyncio.Event) -> None:
        await go.wait()
        async with lock:
            await asyncio.sleep(1)
            log.append(number)

    async def main() -> None:
        lock, go = asyncio.Lock(), asyncio.Event()
        tasks = [asyncio.ensure_future(worker(number, lock, go)) for number in range(5)]
        await asyncio.sleep(1)
        go.set()
        await asyncio.gather(*tasks)

    _run(main())
    assert log == [0, 1, 2, 3, 4]


# --- nothing comes from outside ---


@pytest.mark.parametrize("way", ["executor", "to_thread", "threadsafe"])
def test_threads_are_refused(way: str) -> None:
    """Their order could not be repeated."""

    async def executor() -> None:
        await _loop().run_in_executor(None, print)

    async def to_thread() -> None:
        await asyncio.to_thread(print)

    async def threadsafe() -> None:
        _loop().call_soon_threadsafe(print)

    ways = {"executor": executor, "to_thread": to_thread, "threadsafe": threadsafe}
    with pytest.raises(RuntimeError, match="has no place in a simulation"):
        _run(ways[way]())


def test_sockets_are_refused() -> None:
    """What the loop leaves out of asyncio would come from the machine."""

    async def main() -> None:
        with pytest.raises(NotImplementedError):
            await asyncio.open_connection("127.0.0.1", 1)

    _run(main())


def test_nothing_left_to_happen_is_a_deadlock() -> None:
    """A run that waits for what cannot come says so, instead of hanging; and says when."""

    async def main() -> None:
        await asyncio.sleep(1.25)
        await _loop().create_future()

    with pytest.raises(DeadlockError, match=r"at 1\.250 virtual seconds nothing is left to happen"):
        _run(main())


# --- no error passes ---


def test_an_error_in_a_raw_event_ends_the_run() -> None:
    """It is nobody's but the simulation's."""

    async def main() -> None:
        def broken() -> None:
            raise ValueError("a defect")

        _loop().after(5, broken, "broken")
        await asyncio.sleep(1)

    with pytest.raises(ValueError, match="a defect"):
        _run(main())


def test_an_error_in_a_callback_ends_the_run() -> None:
    """Asyncio would print it and go on."""

    async def main() -> None:
        def broken() -> None:
            raise ValueError("a defect")

        _loop().call_soon(broken)
        await asyncio.sleep(1)

    with pytest.raises(ValueError, match="a defect"):
        _run(main())


def test_an_error_that_nobody_awaited_ends_the_run() -> None:
    """A task that failed and was forgotten."""

    async def broken() -> None:
        raise ValueError("a defect")

    async def main() -> None:
        task = asyncio.ensure_future(broken())
        await asyncio.sleep(1)
        del task
        gc.collect()
        await asyncio.sleep(1)

    with pytest.raises(ValueError, match="a defect"):
        _run(main())


def test_an_error_that_was_awaited_is_the_awaiters() -> None:
    """It does not end the run by itself."""

    async def broken() -> None:
        raise ValueError("a defect")

    async def main() -> str:
        try:
            await asyncio.ensure_future(broken())
        except ValueError as error:
            return str(error)
        return "nothing"

    assert _run(main()) == "a defect"


def test_a_cancellation_that_nobody_awaited_is_no_error() -> None:
    """The gathering behind a shield ends cancelled and unseen when both are cancelled: as the nemesis' does."""

    async def main() -> None:
        async def shielded() -> None:
            inner = [asyncio.ensure_future(asyncio.sleep(100))]
            try:
                await asyncio.shield(asyncio.gather(*inner))
            finally:
                inner[0].cancel()
                await asyncio.gather(*inner, return_exceptions=True)

        task = asyncio.ensure_future(shielded())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()
        await asyncio.sleep(1)

    _run(main())


# --- an interrupt from the keyboard ---


def test_an_interrupt_cancels_the_run_and_waits_for_its_cures() -> None:
    """The run heals and writes down how it ended, in virtual time, before the interrupt goes on."""
    log: list[str] = []

    async def main() -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        _loop().after(5, interrupt, "interrupt")
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(3)
            log.append(f"healed at {_loop().now_ns}")
            raise

    with pytest.raises(KeyboardInterrupt):
        _run(main())
    assert log == [f"healed at {3 * NS + 5}"]


def test_the_loop_is_left_as_it_was_found() -> None:
    """Another run may follow in the same process, and a loop is used once."""

    async def main() -> None:
        await asyncio.sleep(1)

    loop = virtual()
    run(main(), loop)
    assert loop.is_closed()
    assert not loop.is_running()
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    _run(main())
