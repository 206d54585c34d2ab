"""Run conversations: each one an `async def` that reads like the paper, driven without asyncio.

A conversation may await three things, and nothing else: `Sleep`, `Durable`, and the next item of an `Inbox`. Each of
them yields itself to the trampoline below, which resumes the conversation when a fact says so. Nothing runs unless a
fact came in, so the order of everything is the order of the facts.

This file knows waiting. It does not know what is said, nor to whom.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Awaitable:
    __slots__ = ()

    def __await__(self) -> Generator[_Awaitable, None, None]:
        yield self


@dataclass(eq=False)
class Sleep(_Awaitable):
    """Wait for so many nanoseconds."""

    duration_ns: int


class Durable(_Awaitable):
    """Wait until everything that has been staged so far is durable."""


class Inbox(_Awaitable, Generic[T]):
    """Items in order of arrival, and the one conversation that waits for them."""

    __slots__ = ("_wake", "items")

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self._wake: Callable[[], None] | None = None

    def put(self, item: T) -> None:
        """Add an item; the conversation that waits here goes on at once."""
        self.items.append(item)
        wake = self._wake
        if wake is not None:
            self._wake = None
            wake()

    async def next(self) -> T:
        """Take the oldest item, waiting until there is one."""
        while not self.items:
            await self
        return self.items.popleft()

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Remember whom to resume."""
        assert self._wake is None, "two conversations wait at one inbox"
        self._wake = wake


class Timers:
    """Callbacks by the number of their timer; the host only ever sees the numbers.

    `now_ns` is the host's monotonic time at the fact in hand: the only time there is here, and good for differences
    only. `late` is told how much later than it was due each timer fires.
    """

    def __init__(self, set_timer: Callable[[int, int], None], cancel_timer: Callable[[int], None]) -> None:
        self._set = set_timer
        self._cancel = cancel_timer
        self._callbacks: dict[int, tuple[int, Callable[[], None]]] = {}
        self._next = 1
        self.now_ns = 0
        self.late: Callable[[int], None] | None = None

    def after(self, delay_ns: int, callback: Callable[[], None]) -> int:
        """Call back once after the delay; returns the timer's number."""
        timer, self._next = self._next, self._next + 1
        self._callbacks[timer] = self.now_ns + delay_ns, callback
        self._set(timer, delay_ns)
        return timer

    def cancel(self, timer: int) -> None:
        """Forget a timer, unless it has fired already."""
        if self._callbacks.pop(timer, None) is not None:
            self._cancel(timer)

    def fired(self, timer: int) -> None:
        """Run the callback of a timer; one that was cancelled in the meantime does nothing."""
        waiting = self._callbacks.pop(timer, None)
        if waiting is not None:
            due_ns, callback = waiting
            if self.late is not None:
                self.late(self.now_ns - due_ns)
            callback()


class Kind(Enum):
    """What a conversation is for: a request ends by itself, a handoff when the target is back, a probe maybe never, and
    what is done in the background goes on for as long as there is anything to do.
    """

    __hash__ = object.__hash__  # Enum's own is a Python function

    REQUEST = "requests"
    HANDOFF = "handoffs"
    PROBE = "probes"
    BACKGROUND = "background"


@dataclass
class Conversations:
    """The conversations under way, and how many there are `open` of each kind."""

    timers: Timers
    when_durable: Callable[[Callable[[], None]], None]
    open: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    _alive: dict[int, _Conversation] = field(default_factory=dict)
    _begun: int = 0

    def begin(self, kind: Kind, conversation: Coroutine[Any, Any, None]) -> None:
        """Start a conversation and run it to its first wait."""
        self._begun += 1
        begun = self._alive[self._begun] = _Conversation(self, self._begun, kind, conversation.send)
        self.open[kind] += 1
        begun.resume()

    def ended(self, conversation: _Conversation) -> None:
        """A conversation has come to its end."""
        del self._alive[conversation.number]
        self.open[conversation.kind] -= 1


class _Conversation:
    """One conversation under way."""

    __slots__ = ("_all", "_step", "kind", "number")

    def __init__(self, everything: Conversations, number: int, kind: Kind, step: Callable[[None], Any]) -> None:
        self._all = everything
        self._step = step
        self.number = number
        self.kind = kind

    def resume(self) -> None:
        """Run to the next wait, and see to it that somebody resumes this then."""
        try:
            awaited = self._step(None)
        except StopIteration:
            self._all.ended(self)
            return
        if isinstance(awaited, Inbox):
            awaited.wake_with(self.resume)
        elif isinstance(awaited, Sleep):
            self._all.timers.after(awaited.duration_ns, self.resume)
        elif isinstance(awaited, Durable):
            self._all.when_durable(self.resume)
        else:
            raise TypeError(f"a conversation may not await {awaited!r}; it awaits Sleep, Durable or an Inbox")
