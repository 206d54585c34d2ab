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
from asyncio import events
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any, TypeVar

from harness.sim.trace import Trace

T = TypeVar("T")

NS = 1_000_000_000

GARBAGE_LOOKS = (200_000, 10, 10)
"""After how many more objects made than freed the garbage collector looks at those, and how often at older ones, in a
process that simulates. Python's own numbers are 700, 10 and 10.
"""


class DeadlockError(Exception):
    """Nothing is left to happen, and the run has not come to its end."""


class Event:
    """A raw event: a callback and a label for the trace, without the machinery of asyncio.

    A kind of event with a `happen` of its own needs no callback. A bound method of itself in its place would be a cycle
    in each event, and so garbage that only the collector finds.
    """

    __slots__ = ("callback", "cancelled", "label")

    def __init__(self, callback: Callable[[], None], label: str) -> None:
        self.callback = callback
        self.cancelled = False
        self.label = label

    def happen(self) -> None:
        """Its time has come."""
        self.callback()

    def cancel(self) -> None:
        """Forget it; it stays in the heap and is passed over."""
        self.cancelled = True


class Step(Event):
    """A callback of ordinary asyncio code, in place of asyncio's handle: that is a good deal larger, for debugging."""

    __slots__ = ("_args", "_context", "_function", "_loop")

    def __init__(
        self, loop: SimLoop, function: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self.cancelled = False
        self.label = "task"
        self._loop = loop
        self._function = function
        self._args = args
        self._context = context or copy_context()

    def happen(self) -> None:
        """Run it in its context; what it raises is the loop's."""
        try:
            self._context.run(self._function, *self._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._loop.call_exception_handler({"exception": error})


class SimLoop(asyncio.AbstractEventLoop):
    """A loop whose time is a number. Every step is an event of the trace."""

    def __init__(self, trace: Trace | None = None) -> None:
        self.trace = trace or Trace()
        self.now_ns = 0
        self._heap: list[tuple[int, int, Event]] = []
        self._sequence = 0
        self._closed = False
        self._running = False
        self._failure: BaseException | None = None

    # --- events ---

    def after(self, delay_ns: int, callback: Callable[[], None], label: str) -> Event:
        """Schedule a raw event."""
        event = Event(callback, label)
        self._sequence += 1
        heappush(self._heap, (self.now_ns + delay_ns, self._sequence, event))
        return event

    def at(self, at_ns: int, event: Event) -> None:
        """Schedule a raw event that was made elsewhere."""
        self._sequence += 1
        heappush(self._heap, (at_ns, self._sequence, event))

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
        heap, trace, pop, done = self._heap, self.trace, heappop, task.done
        while not done():
            if not heap:
                raise DeadlockError(f"at {self.now_ns / NS:.3f} virtual seconds nothing is left to happen")
            at_ns, _, item = pop(heap)
            self.now_ns = at_ns
            if not item.cancelled:
                trace.event(at_ns, item.label)
                item.happen()
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure

    # --- what asyncio asks of a loop ---

    def time(self) -> float:
        """Virtual seconds."""
        return self.now_ns / NS

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Step:
        """Run after everything that is already due."""
        step = Step(self, callback, args, context)
        self.at(self.now_ns, step)
        return step

    def call_later(  # type: ignore[override]  # typeshed ties the arguments to the callback; Any does here
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Step:
        """Run after so many virtual seconds."""
        step = Step(self, callback, args, context)
        self.at(self.now_ns + max(0, round(delay * NS)), step)
        return step

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Step:
        """Run at a virtual time."""
        step = Step(self, callback, args, context)
        self.at(max(self.now_ns, round(when * NS)), step)
        return step

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
    """Run a coroutine on virtual time to its end; an interrupt or a failure cancels it, and waits for its cures."""
    task: asyncio.Task[T] = loop.create_task(main)
    _spare_the_collector()
    try:
        loop.run_until_complete(task)
    except BaseException:
        task.cancel()
        with suppress(asyncio.CancelledError, DeadlockError):
            loop.run_until_complete(task)
        raise
    finally:
        loop.close()
    return task.result()


def _spare_the_collector() -> None:
    """Clear away what the last run left, and see to it that the garbage collector hardly looks from now on.

    A run keeps nearly all that it does not free by itself, and going through that is what a look costs. What is alive
    before a run is put out of the collector's sight for good: it is modules, which stay, and results, which have no
    cycles and so need no collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_LOOKS)
