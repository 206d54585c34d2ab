"""What goes on beside a fault ends with it, and what cannot be cured is told as that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from nemesis.cures import meanwhile, mended
from nemesis.powers import CureError, PowerError
from tests.nemesis.clock import run_virtually


@asynccontextmanager
async def harm(
    log: list[str], *, entry: Exception | None = None, leaving: Exception | None = None
) -> AsyncIterator[str]:
    """A power's context that takes its time, and may fail at either end."""
    await asyncio.sleep(1)
    if entry is not None:
        raise entry
    log.append("harmed")
    try:
        yield "what was done"
    finally:
        await asyncio.sleep(1)
        if leaving is not None:
            raise leaving
        log.append("mended")


def test_a_cure_runs_to_its_end_when_it_is_cancelled_itself() -> None:
    """The cancellation is raised afterwards."""
    log: list[str] = []

    async def main() -> None:
        async def fault() -> None:
            async with mended(harm(log), "it"):
                await asyncio.sleep(10)

        task = asyncio.ensure_future(fault())
        for _ in range(2):
            await asyncio.sleep(1.5)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(main())
    assert log == ["harmed", "mended"]


@pytest.mark.parametrize(
    ("error", "told"),
    [(PowerError("n1 did not answer"), "n1 did not answer"), (OSError("gone"), "it: OSError('gone')")],
)
def test_a_cure_that_fails_is_told_as_that(error: Exception, told: str) -> None:
    """A power's own words are kept; of anything else it is said where it came from."""

    async def main() -> None:
        async with mended(harm([], leaving=error), "it"):
            pass

    with pytest.raises(CureError) as raised:
        run_virtually(main())
    assert str(raised.value) == told


def test_what_cannot_be_entered_is_no_failed_cure() -> None:
    """Nothing was harmed."""

    async def main() -> None:
        async with mended(harm([], entry=PowerError("no")), "it"):
            raise AssertionError("the body must not run")

    with pytest.raises(PowerError) as raised:
        run_virtually(main())
    assert not isinstance(raised.value, CureError)


def test_works_go_on_until_the_body_ends_and_cure_themselves() -> None:
    """The body begins when the first of them has begun to harm."""
    log: list[str] = []

    async def work(begun: Callable[[], None]) -> None:
        async with mended(harm(log), "it"):
            begun()
            await asyncio.sleep(100)

    async def idle(_begun: Callable[[], None]) -> None:
        await asyncio.sleep(100)

    async def main() -> None:
        async with meanwhile(idle, work):
            assert log == ["harmed"]
        assert log == ["harmed", "mended"]
        assert len(asyncio.all_tasks()) == 1

    run_virtually(main())


def test_a_work_that_cannot_begin_fails_the_fault_before_the_body() -> None:
    """And the others are ended."""
    log: list[str] = []

    async def work(_begun: Callable[[], None]) -> None:
        async with mended(harm(log), "it"):
            await asyncio.sleep(100)

    async def broken(_begun: Callable[[], None]) -> None:
        await asyncio.sleep(3)
        raise PowerError("n1 is not there")

    async def main() -> None:
        async with meanwhile(work, broken):
            raise AssertionError("the body must not run")

    with pytest.raises(PowerError, match="n1 is not there"):
        run_virtually(main())
    assert log == ["harmed", "mended"]


def test_of_several_failures_that_of_a_cure_is_told() -> None:
    """It means that the cluster is not whole."""

    async def fails(begun: Callable[[], None]) -> None:
        begun()
        await asyncio.sleep(5)
        raise PowerError("a reset failed")

    async def cannot(begun: Callable[[], None]) -> None:
        async with mended(harm([], leaving=PowerError("n1 stays slow")), "it"):
            begun()
            await asyncio.sleep(100)

    async def main() -> None:
        async with meanwhile(fails, cannot):
            await asyncio.sleep(10)

    with pytest.raises(CureError, match="n1 stays slow"):
        run_virtually(main())
