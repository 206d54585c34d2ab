"""A bench for the admission of background work: virtual time, and a synthetic feed of latencies."""

from __future__ import annotations

from collections.abc import Sequence

from node.core.admission import SLICES_MAX, WINDOW_S, Admission, Task
from node.core.conversations import Conversations, Kind, Timers
from node.core.percentile import SECOND_NS

MS = 1_000_000
TICK_NS = 10 * MS


class Bench:
    """An admission control on virtual time, conversations that want slices, and a synthetic feed of latencies."""

    def __init__(self, slices_max: int = SLICES_MAX, window_s: int = WINDOW_S, start_s: int = 1000) -> None:
        self.due: dict[int, int] = {}
        self.granted: list[tuple[int, str]] = []
        self.timers = Timers(
            lambda timer, delay_ns: self.due.update({timer: self.timers.now_ns + delay_ns}), self.due.__delitem__
        )
        self.start_ns = self.timers.now_ns = start_s * SECOND_NS
        self.conversations = Conversations(self.timers, lambda callback: callback())
        self.admission = Admission(self.timers, slices_max=slices_max, window_s=window_s)
        self._fed = 0

    def want(self, task: Task, batches: int, name: str | None = None) -> None:
        """Begin a conversation that wants so many slices, one after the other, and logs them by its name."""

        async def conversation() -> None:
            for _ in range(batches):
                await self.admission.slice(task)
                self.granted.append((self.timers.now_ns - self.start_ns, name or task))

        self.conversations.begin(Kind.HANDOFF, conversation())

    def go_on(self, seconds: float, store_ms: Sequence[float] = (), wait_ms: Sequence[float] = ()) -> float:
        """Let time pass, with 100 latencies a second, over and over the same: how many slices there are then."""
        end_ns = self.timers.now_ns + round(seconds * SECOND_NS)
        while self.timers.now_ns < end_ns:
            tick_ns = min(end_ns, self.timers.now_ns + TICK_NS)
            while min(self.due.values(), default=end_ns) <= tick_ns and self.due:
                self.fire()
            self.timers.now_ns = tick_ns
            for feed, measured in ((store_ms, self.admission.stored), (wait_ms, self.admission.waited)):
                if feed:
                    measured(round(feed[self._fed % len(feed)] * MS), tick_ns)
            self._fed += 1
        return self.admission.slices

    def slices_after_each(self, seconds: int, **feed: Sequence[float]) -> list[float]:
        """Let so many seconds pass: how many slices there are at the end of each."""
        return [self.go_on(1, **feed) for _ in range(seconds)]

    def fire(self, late_ns: int = 0) -> None:
        """Fire the timer that is due next, so much later than it is due."""
        timer = min(self.due, key=lambda timer: (self.due[timer], timer))
        self.timers.now_ns = self.due.pop(timer) + late_ns
        self.timers.fired(timer)

    @property
    def names(self) -> list[str]:
        """Who was granted a slice, in order."""
        return [name for _, name in self.granted]

    def granted_between(self, begin_s: float, end_s: float) -> int:
        """How many slices were granted in that time after the start."""
        return sum(begin_s <= at_ns / SECOND_NS < end_s for at_ns, _ in self.granted)
