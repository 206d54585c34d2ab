"""An event loop on virtual time.

One heap of integer nanoseconds holds everything that is to happen: callbacks of ordinary asyncio code (clients,
nemesis, runner) and raw events of simulated nodes, in one total order of (time, sequence). When nothing is ready,
time jumps. Nothing here comes from outside: no selector, no thread, no clock of the machine; whatever would need one
raises.

The loop knows time and order. It does not know nodes, networks or disks.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar

from harness.sim.trace import Trace

T = TypeVar("T")

NS = 1_000_000_000


class DeadlockError(Exception):
    """Nothing is left to happen, and the run has not come to its end."""


class Event:
    """A raw event: a callback and a label for the trace, without the machinery of asyncio."""

    __slots__ = ("callback", "label")

    def __init__(self, callback: Callable[[], None], label: str) -> None:
        self.callback: Callable[[], None] | None = callback
        self.label = label

    def cancel(self) -> None:
        """Forget it."""
        self.callback = None


class SimLoop(asyncio.AbstractEventLoop):
    """A loop whose time is a number. Every step is an event of the trace."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.trace = trace or Trace()
        self.now_ns = 0
        self._heap: list[tuple[int, int, Event | asyncio.Handle]] = []
        self._sequence = 0
        self._closed = False
        self._running = False
        self._failure: BaseException | None = None

    # --- events ---

    def after(self, delay_ns: int, callback: Callable[[], None], label: str) -> Event:
        """Schedule a raw event."""
        event = Event(callback, label)
        self._sequence += 1
        heapq.heappush(self._heap, (self.now_ns + delay_ns, self._sequence, event))
        return event

    def at(self, at_ns: int, event: Event) -> None:
        """Schedule a raw event that was made elsewhere."""
        self._sequence += 1
        heapq.heappush(self._heap, (at_ns, self._sequence, event))

    def _push(self, at_ns: int, item: Event | asyncio.Handle) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (at_ns, self._sequence, item))

    def run_until_complete(self, future: Any) -> Any:
        """Run until the future is done; raises `DeadlockError` if it never can be, and whatever a callback raised."""
        task: asyncio.Future[Any] = asyncio.ensure_future(future, loop=self)
        self._running = True
        events._set_running_loop(self)
        try:
            self._run_until(task)
        finally:
            events._set_running_loop(None)
            self._running = False
        return task.result()

    def _run_until(self, task: asyncio.Future[Any]) -> None:
        """Take one event after the other. Written as one loop, because it runs a hundred thousand times a second."""
        heap, trace, pop = self._heap, self.trace, heapq.heappop
        while not task.done():
            if not heap:
                raise DeadlockError(f"at {self.now_ns / NS:.3f} virtual seconds nothing is left to happen")
            at_ns, _, item = pop(heap)
            self.now_ns = at_ns
            if isinstance(item, Event):
                callback = item.callback
                if callback is not None:
                    trace.event(at_ns, item.label)
                    callback()
            elif not item.cancelled():
                trace.event(at_ns, "task")
                item._run()
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure

    # --- what asyncio asks of a loop ---

    def time(self) -> float:
        """Virtual seconds."""
        return self.now_ns / NS

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run after everything that is already due."""
        handle = asyncio.Handle(callback, args, self, context)
        self._push(self.now_ns, handle)
        return handle

    def call_later(  # type: ignore[override]  # typeshed ties the arguments to the callback; Any does here
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run after so many virtual seconds."""
        return self._at(self.now_ns + max(0, round(delay * NS)), callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run at a virtual time."""
        return self._at(max(self.now_ns, round(when * NS)), callback, args, context)

    def _at(
        self, at_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(at_ns / NS, callback, args, self, context)
        self._push(at_ns, handle)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer stays in the heap and is passed over."""

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, **options)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Let no error pass: what nobody awaited ends the run. A cancellation that nobody awaited is no error."""
        failure = context.get("exception") or RuntimeError(str(context.get("message")))
        if self._failure is None and not isinstance(failure, asyncio.CancelledError):
            self._failure = failure

    def get_debug(self) -> bool:
        """Never in debug mode, whose checks read the machine's clock."""
        return False

    def is_running(self) -> bool:
        """Whether a step is under way."""
        return self._running

    def is_closed(self) -> bool:
        """Whether the loop was closed."""
        return self._closed

    def close(self) -> None:
        """Drop everything that was still to happen."""
        self._heap.clear()
        self._closed = True

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: no hook was installed."""

    def call_soon_threadsafe(self, *_: Any, **__: Any) -> asyncio.Handle:  # type: ignore[override]
        """Refuse: there are no threads in a simulation."""
        raise RuntimeError("a thread has no place in a simulation: its order could not be repeated")

    def run_in_executor(self, *_: Any) -> Any:  # type: ignore[override]
        """Refuse: there are no threads in a simulation."""
        raise RuntimeError("an executor has no place in a simulation: its order could not be repeated")


def virtual(trace: Trace | None = None) -> SimLoop:
    """A loop that stands at time 0. What it leaves out of asyncio's contract would come from outside the
    simulation.
    """
    return SimLoop(trace)  # type: ignore[abstract]


def run(main: Coroutine[Any, Any, T], loop: SimLoop) -> T:
    """Run a coroutine on virtual time to its end; an interrupt or a failure cancels it, and waits for its cures.

    What was there before is kept out of the garbage collector's sight meanwhile, which would go through it again and
    again.
    """
    task: asyncio.Task[T] = loop.create_task(main)
    gc.collect()
    gc.freeze()
    try:
        loop.run_until_complete(task)
    except BaseException:
        task.cancel()
        with suppress(asyncio.CancelledError, DeadlockError):
            loop.run_until_complete(task)
        raise
    finally:
        loop.close()
        gc.unfreeze()
    return task.result()
