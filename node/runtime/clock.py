"""Time on a real event loop.

This file knows one loop and the machine's monotonic clock. Nobody here reads the wall clock: a node needs none.
"""

from __future__ import annotations

import time
from asyncio import AbstractEventLoop, Handle
from collections.abc import Callable

NS_PER_S = 1_000_000_000


class LoopClock:
    """A clock whose callbacks come from an asyncio loop. `offset` is how far the wall clock is set off, in ns."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self.offset = 0

    def now_ns(self) -> int:
        """Monotonic nanoseconds of this machine."""
        return time.monotonic_ns()

    def offset_ns(self) -> int:
        """How far this node's wall clock has been set off."""
        return self.offset

    def after(self, delay_ns: int, callback: Callable[[], None]) -> Handle | Alarm:
        """Call back once, at the earliest after the delay; 0 means after what is ready now."""
        return self._loop.call_soon(callback) if delay_ns <= 0 else Alarm(self._loop, delay_ns, callback)


class Alarm:
    """One callback that is due at a moment.

    Loops may be early: uvloop counts milliseconds, and from the beginning of the loop's turn. One that is early goes
    back to sleep for the rest.
    """

    __slots__ = ("_callback", "_due_ns", "_handle", "_loop")

    def __init__(self, loop: AbstractEventLoop, delay_ns: int, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._due_ns = time.monotonic_ns() + delay_ns
        self._handle = loop.call_later(delay_ns / NS_PER_S, self._ring)

    def cancel(self) -> None:
        """Forget the callback."""
        self._handle.cancel()

    def _ring(self) -> None:
        left_ns = self._due_ns - time.monotonic_ns()
        if left_ns > 0:
            self._handle = self._loop.call_later(max(left_ns / NS_PER_S, 0.001), self._ring)
        else:
            self._callback()
