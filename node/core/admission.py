"""Let background work run only while the foreground is well (Dynamo, 6.5: balancing background vs. foreground tasks).

Hinted handoff, anti-entropy and transfers share so many *slices* a second; a slice is the right to run one bounded
batch. How many there are follows from two things that are watched: how long the store takes for a commit, and how long
a timer that is due waits for its turn. Once a second the 99th percentile of each, over the last 60 s, is held against
its limit. Above either limit the slices are halved, unless what was measured since the last halving is well: then they
are kept. With both below, one is added. So background work yields within seconds, no further than it helps, and comes
back in the second minute, when the slow seconds have left the window. There is never less than one slice a second:
repair may be late but is not given up.

What is not measured is not judged: while nothing was measured for a whole window, the slices stand where they began,
or higher. And nothing here runs by itself: the second's judgement is passed by whatever is measured, asked or granted
next, so that a quiet node has no timer; the only one there is waits for the next slice, while somebody does.

This file knows slices, who waits for one, and two percentiles. It does not know what a batch is, nor of which
database: the paper's rule is about reads, whereas here a read costs no wait and a commit does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, get_args

import msgspec

from node.core.conversations import Inbox, Timers
from node.core.percentile import SECOND_NS, Percentiles

Task = Literal["handoff", "anti-entropy", "transfers"]
TASKS: tuple[Task, ...] = get_args(Task)

SLICES_MIN = 1
SLICES_MAX = 64
"""How many slices there can be a second, unless the cluster is configured otherwise."""
SLICES_FIRST = 16
"""How many slices there are a second while nothing has been measured."""
SLICES_STEP = 1.0
"""How many are added after a second without complaint: from one to `SLICES_FIRST` in a quarter of a minute."""
SETTLES_NS = SECOND_NS // 2
"""What is measured so soon after a halving is still the doing of the slices before it."""
SAVED_NS = SECOND_NS // 4
"""Slices that nobody wanted are kept for so long: a rest is no licence for a flood."""
WINDOW_S = 60
PERCENT = 99

_MS = 1_000_000


class BackgroundReport(msgspec.Struct, frozen=True):
    """What background work is granted, and why.

    `slices` are those a second, `lowest` and `highest` how many there were in the last window. Percentiles are None
    where nothing was measured in it. `granted` and `waiting` count slices and conversations by task, `halvings` the
    times that the slices were cut; all of them since the node's start.
    """

    slices: float
    lowest: float
    highest: float
    halvings: int
    store_p99_ms: float | None
    store_limit_ms: int
    wait_p99_ms: float | None
    wait_limit_ms: int
    granted: dict[Task, int]
    waiting: dict[Task, int]


@dataclass
class Admission:
    """The slices of one node, shared by all of its background tasks.

    A limit is the 99th percentile, in milliseconds, above which the slices are halved: that of store latencies
    (`p99_ms`), or that of waits (`wait_ms`).
    """

    timers: Timers
    p99_ms: int = 50
    wait_ms: int = 50
    slices_max: int = SLICES_MAX
    window_s: int = WINDOW_S
    slices: float = field(init=False)
    halvings: int = field(init=False, default=0)
    granted: dict[Task, int] = field(init=False, default_factory=lambda: dict.fromkeys(TASKS, 0))

    def __post_init__(self) -> None:
        assert self.slices_max >= SLICES_MIN, f"slices_max is {self.slices_max}; the least is {SLICES_MIN}"
        self.slices = self._first = float(min(SLICES_FIRST, self.slices_max))
        self._stores = Percentiles(self.window_s)
        self._waits = Percentiles(self.window_s)
        self._begin_anew(-SETTLES_NS)
        self._had: deque[tuple[int, float]] = deque([(0, self.slices)])
        self._judge_ns = 0
        self._turns: dict[Task, deque[Inbox[None]]] = {task: deque() for task in TASKS}
        self._order = deque(TASKS)
        self._due_ns = -SAVED_NS
        self._timer = 0

    # --- what is granted ---

    async def slice(self, task: Task) -> None:
        """Wait for the right to run one batch.

        Tasks that wait are served in turn, and the conversations of one task in the order in which they asked.
        """
        self._judge(self.timers.now_ns)
        turn: Inbox[None] = Inbox()
        self._turns[task].append(turn)
        self._serve()
        await turn.next()

    def _serve(self) -> None:
        """Grant what is due, and come back when the next slice is, if somebody waits for it.

        Whoever is granted one goes on at once, and may ask for another before this goes on.
        """
        now_ns = self.timers.now_ns
        while self._due_ns <= now_ns and (turn := self._next_turn()) is not None:
            self._due_ns = max(self._due_ns, now_ns - SAVED_NS) + round(SECOND_NS / self.slices)
            turn.put(None)
        if not self._timer and any(self._turns.values()):
            self._timer = self.timers.after(self._due_ns - now_ns, self._come_due)

    def _come_due(self) -> None:
        self._timer = 0
        self._judge(self.timers.now_ns)
        self._serve()

    def _next_turn(self) -> Inbox[None] | None:
        """Whose turn it is; the task that gets it is the last one to get another."""
        for _ in TASKS:
            task = self._order[0]
            self._order.rotate(-1)
            if self._turns[task]:
                self.granted[task] += 1
                return self._turns[task].popleft()
        return None

    # --- what is measured ---

    def stored(self, latency_ns: int, now_ns: int) -> None:
        """The store took so long to make durable what it was given."""
        self._judge(now_ns)
        self._stores.record(latency_ns, now_ns)
        if now_ns >= self._settled_ns:
            self._stores_since.record(latency_ns, now_ns)

    def waited(self, wait_ns: int, now_ns: int) -> None:
        """A timer fired so much later than it was due: the queue that it stood in was as long. One that the host fired
        a little early has not waited.
        """
        self._judge(now_ns)
        self._waits.record(max(0, wait_ns), now_ns)
        if now_ns >= self._settled_ns:
            self._waits_since.record(max(0, wait_ns), now_ns)

    def _judge(self, now_ns: int) -> None:
        """Once a second, change the number of slices."""
        if now_ns < self._judge_ns:
            return
        self._judge_ns = now_ns + SECOND_NS
        self._forget(now_ns)
        stores, waits = _above(self._stores, self.p99_ms), _above(self._waits, self.wait_ms)
        stores_still = stores and _above(self._stores_since, self.p99_ms)
        waits_still = waits and _above(self._waits_since, self.wait_ms)
        if stores_still or waits_still:
            self.halvings += self.slices > SLICES_MIN
            self._change(max(float(SLICES_MIN), self.slices / 2), now_ns)
            self._begin_anew(now_ns)
        elif stores or waits:
            return
        elif self._stores.count or self._waits.count:
            self._change(min(float(self.slices_max), self.slices + SLICES_STEP), now_ns)
        else:
            self._change(max(self._first, self.slices), now_ns)

    def _begin_anew(self, now_ns: int) -> None:
        """What was measured before a halving says nothing about the slices that are left."""
        self._settled_ns = now_ns + SETTLES_NS
        self._stores_since = Percentiles(self.window_s)
        self._waits_since = Percentiles(self.window_s)

    def _change(self, slices: float, now_ns: int) -> None:
        if slices != self.slices:
            self.slices = slices
            self._had.append((now_ns, slices))

    def _forget(self, now_ns: int) -> None:
        """Forget what has left the window, but not how many slices there were when it began."""
        self._stores.forget(now_ns)
        self._waits.forget(now_ns)
        self._stores_since.forget(now_ns)
        self._waits_since.forget(now_ns)
        begin_ns = now_ns - self.window_s * SECOND_NS
        while len(self._had) > 1 and self._had[1][0] <= begin_ns:
            self._had.popleft()

    # --- what is shown ---

    def report(self) -> BackgroundReport:
        """What there is to see; looking changes nothing."""
        self._forget(self.timers.now_ns)
        had = [slices for _, slices in self._had]
        return BackgroundReport(
            slices=self.slices,
            lowest=min(had),
            highest=max(had),
            halvings=self.halvings,
            store_p99_ms=_ms(self._stores.at(PERCENT)),
            store_limit_ms=self.p99_ms,
            wait_p99_ms=_ms(self._waits.at(PERCENT)),
            wait_limit_ms=self.wait_ms,
            granted=dict(self.granted),
            waiting={task: len(turns) for task, turns in self._turns.items()},
        )


def _above(measured: Percentiles, limit_ms: int) -> bool:
    p99_ns = measured.at(PERCENT)
    return p99_ns is not None and p99_ns > limit_ms * _MS


def _ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / _MS
