"""Finish what was begun, so that a fault never leaves the cluster half broken.

Cancellation is the normal end of a run that was interrupted, and it may come at any await: in the middle of a kill, or
of the cure. This file knows how to carry work to its end all the same, and how to end what goes on beside a fault. It
does not know one fault or one power.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar

from nemesis.powers import CureError, PowerError

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await work that must not stop half-way; a cancellation that came meanwhile is raised when it is done.

    The work's own failure outranks the cancellation: a cluster that could not be healed must not look like one that
    was. The work has to be bounded, as every power is.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            with suppress(Exception):
                await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


async def each(
    nodes: Sequence[str], act: Callable[[str], Awaitable[None]], error: type[PowerError] = PowerError
) -> None:
    """Do it to every node at once, to the end; one that fails does not stop the others, and all failures are told."""
    answers = await asyncio.gather(*(act(node) for node in nodes), return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    if failures:
        told = [
            str(answer) if isinstance(answer, PowerError) else f"{node}: {answer!r}"
            for node, answer in zip(nodes, answers, strict=True)
            if isinstance(answer, BaseException)
        ]
        raise error("; ".join(told)) from failures[0]


@asynccontextmanager
async def mended(harm: AbstractAsyncContextManager[T], what: str) -> AsyncIterator[T]:
    """Keep a power's context open as long as this one, and leave it to the end; what fails there is a `CureError`."""
    done = await harm.__aenter__()
    try:
        yield done
    finally:
        await to_the_end(_left(harm, what))


async def _left(harm: AbstractAsyncContextManager[Any], what: str) -> None:
    try:
        await harm.__aexit__(None, None, None)
    except Exception as error:
        raise CureError(str(error) if isinstance(error, PowerError) else f"{what}: {error!r}") from error


Work = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]
"""Something that goes on for as long as a fault is in force; it calls what it is given once it has begun to harm."""


@asynccontextmanager
async def meanwhile(*works: Work) -> AsyncIterator[None]:
    """Let works go on beside the body, which begins when one of them has; their failures are raised, at the latest
    when all have been ended.

    A work is ended by cancelling it, so it carries its own cure.
    """
    begun = asyncio.Event()
    tasks = [asyncio.ensure_future(work(begun.set)) for work in works]
    for task in tasks:
        task.add_done_callback(lambda _: begun.set())
    try:
        await begun.wait()
        _complain(tasks)
        yield
    finally:
        await to_the_end(_ended(tasks))


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    _complain(tasks)


def _complain(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Raise what went wrong in a work, a failed cure before anything else."""
    errors = [task.exception() for task in tasks if task.done() and not task.cancelled()]
    worst_first = sorted(filter(None, errors), key=lambda error: not isinstance(error, CureError))
    if worst_first:
        raise worst_first[0]
