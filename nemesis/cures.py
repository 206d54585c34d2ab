"""Finish what was begun, so that a fault never leaves the cluster half broken.

Cancellation is the normal end of a run that was interrupted, and it may come at any await: in the middle of a kill, or
of the cure. This file knows how to carry work to its end all the same. It does not know one fault or one power.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from nemesis.powers import PowerError

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
