"""Keep many timers on one alarm of the clock.

A node sets several timers for each request and cancels nearly all of them, because answers come in time. So a timer
here costs a place in a heap, and cancelling it nothing but forgetting; the clock, whose alarms are dear on every loop,
is asked only for the earliest that is still wanted.

This file knows when timers are due. It does not know what they are for.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from node.runtime.ports import Clock, Timer

FORGOTTEN_MAX = 1024
"""So many more timers than are wanted may lie in the heap before those that were cancelled are cleared out of it."""

_NEVER = 1 << 63


class Alarms:
    """The timers of one node by their numbers; `ring` is called with the number of each that is due, in order."""

    def __init__(self, clock: Clock, ring: Callable[[int], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._due: list[tuple[int, int]] = []
        self._wanted: dict[int, None] = {}
        self._alarm: Timer | None = None
        self._alarm_ns = _NEVER

    def __len__(self) -> int:
        """How many timers are kept, wanted or not yet cleared away."""
        return len(self._due)

    def set(self, timer: int, at_ns: int) -> None:
        """Want a timer, due at that time of the clock; `see_to_it` is to be called before the step ends."""
        self._wanted[timer] = None
        heappush(self._due, (at_ns, timer))

    def cancel(self, timer: int) -> None:
        """Want it no more; it must have been set and not have been rung."""
        del self._wanted[timer]
        if len(self._due) > 2 * len(self._wanted) + FORGOTTEN_MAX:
            self._due[:] = [due for due in self._due if due[1] in self._wanted]
            heapify(self._due)

    def see_to_it(self) -> None:
        """Ask the clock for the earliest timer that is wanted, unless it will ring before that anyway."""
        due, wanted = self._due, self._wanted
        while due and due[0][1] not in wanted:
            heappop(due)
        if due and due[0][0] < self._alarm_ns:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_ns = due[0][0]
            self._alarm = self._clock.after(max(1, self._alarm_ns - self._clock.now_ns()), self._rings)

    def _rings(self) -> None:
        """Ring what is due, and ask for the next; a clock that is early, or was set slower, is asked again."""
        self._alarm, self._alarm_ns = None, 0  # nothing is asked for before all that is due has rung
        now_ns, due, wanted = self._clock.now_ns(), self._due, self._wanted
        while due and due[0][0] <= now_ns:
            _, timer = heappop(due)
            if timer in wanted:
                del wanted[timer]
                self._ring(timer)
        self._alarm_ns = _NEVER
        self.see_to_it()
