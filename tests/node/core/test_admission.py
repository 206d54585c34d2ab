"""Background work yields when the store or the queue is slow, comes back slowly, and starves nobody (Dynamo, 6.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.admission import SLICES_FIRST, SLICES_MAX, SLICES_MIN, TASKS, WINDOW_S, Admission, Task
from node.core.conversations import Conversations, Kind, Timers
from node.core.percentile import SECOND_NS, Percentiles

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

    def go_on(self, seconds: float, store_ms: Sequence[float] = (), wait_ms: Sequence[float] = ()) -> None:
        """Let time pass, feeding 100 latencies a second, over and over the same ones."""
        end_ns = self.timers.now_ns + round(seconds * SECOND_NS)
        while self.timers.now_ns < end_ns:
            tick_ns = min(end_ns, self.timers.now_ns + TICK_NS)
            while min(self.due.values(), default=end_ns) <= tick_ns and self.due:
                self.fire()
            self.timers.now_ns = tick_ns
            if store_ms:
                self.admission.stored(round(store_ms[self._fed % len(store_ms)] * MS), tick_ns)
            if wait_ms:
                self.admission.waited(round(wait_ms[self._fed % len(wait_ms)] * MS), tick_ns)
            self._fed += 1

    def fire(self, late_ns: int = 0) -> None:
        """Fire the timer that is due next, so much later than it is due."""
        due_ns, timer = min((due_ns, timer) for timer, due_ns in self.due.items())
        del self.due[timer]
        self.timers.now_ns = due_ns + late_ns
        self.timers.fired(timer)

    @property
    def names(self) -> list[str]:
        """Who was granted a slice, in order."""
        return [name for _, name in self.granted]

    def granted_between(self, begin_s: float, end_s: float) -> int:
        """How many slices were granted in that time after the start."""
        return sum(begin_s <= at_ns / SECOND_NS < end_s for at_ns, _ in self.granted)


# --- the rate ---


def test_the_first_slices_do_not_wait() -> None:
    """Nothing has been measured, so nothing speaks against them; each task gets one, and one of them a second."""
    bench = Bench()
    for task in (*TASKS, TASKS[0]):
        bench.want(task, 1)
    assert bench.granted == [(0, task) for task in (*TASKS, TASKS[0])]
    assert bench.admission.report().slices == SLICES_FIRST


@pytest.mark.parametrize("slices", [1, 2, 16])
def test_slices_come_at_their_rate(slices: int) -> None:
    """So many a second, evenly, and not more ahead than a quarter of a second's."""
    bench = Bench(slices_max=slices)
    bench.want("handoff", 1000)
    bench.go_on(20)
    assert len(bench.granted) == 20 * slices + slices // 4 + 1
    later = [at_ns for at_ns, _ in bench.granted if at_ns > SECOND_NS]
    assert {after - before for before, after in pairwise(later)} == {SECOND_NS // slices}


def test_a_rest_is_no_licence_for_a_flood() -> None:
    """After a minute in which nobody wanted any, there are those of a quarter of a second."""
    bench = Bench()
    bench.go_on(60)
    bench.want("handoff", 1000)
    assert len(bench.granted) == 1 + SLICES_FIRST // 4


def test_a_late_timer_is_no_licence_for_a_flood_either() -> None:
    """A node that was paused for ten seconds does not make up for them at once."""
    bench = Bench()
    bench.want("handoff", 1000)
    before = len(bench.granted)
    bench.fire(late_ns=10 * SECOND_NS)
    assert len(bench.granted) - before == 1 + SLICES_FIRST // 4


# --- whose turn it is ---


def test_tasks_that_wait_are_served_in_turn() -> None:
    """However many conversations one of them has, and in whatever order they came."""
    bench = Bench()
    for _ in range(40):
        bench.want("handoff", 1)
    bench.want("transfers", 3)
    bench.want("anti-entropy", 2)
    waited_from = len(bench.granted)
    assert bench.admission.report().waiting == {"handoff": 40 - waited_from, "anti-entropy": 2 - 1, "transfers": 1}
    bench.go_on(5)
    assert "".join(task[0] for task in bench.names[waited_from:][:9]) == "athaththh"


def test_one_task_is_served_first_come_first_served() -> None:
    """Conversations of one task get their slices in the order in which they asked."""
    bench = Bench()
    for number in range(50):
        bench.want("handoff", 1, f"{number}")
    bench.go_on(5)
    assert bench.names == [f"{number}" for number in range(50)]


def test_a_task_that_comes_late_is_served_next_but_one() -> None:
    """Hundreds that wait already are no reason to wait for them."""
    bench = Bench()
    for _ in range(100):
        bench.want("handoff", 5)
        bench.want("transfers", 5)
    bench.go_on(1)
    before = len(bench.granted)
    bench.want("anti-entropy", 1)
    bench.go_on(1)
    assert "anti-entropy" in bench.names[before : before + 3]


def test_three_hungry_tasks_get_a_third_each() -> None:
    """One conversation that asks again at once gets no more than fifty that queue."""
    bench = Bench()
    bench.want("transfers", 10_000)
    bench.want("anti-entropy", 10_000)
    for _ in range(50):
        bench.want("handoff", 10_000)
    bench.go_on(30, store_ms=[1])
    granted = bench.admission.report().granted
    assert sum(granted.values()) == len(bench.granted) > 30 * SLICES_FIRST
    assert max(granted.values()) - min(granted.values()) <= SLICES_FIRST // 4 + 1


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(TASKS), st.integers(1, 20), st.integers(0, 30)), min_size=1, max_size=12),
    st.sampled_from([1, 3, 16]),
)
def test_whoever_waits_is_served_after_two_others_at_most(wants: list[tuple[Task, int, int]], slices: int) -> None:
    """Whatever is asked, and when: a task that waits is never passed by more than once by each of the others; all get
    what they asked for; and no stretch of time has more slices than its rate and what was saved.
    """
    bench = Bench(slices_max=slices)
    passed: Counter[Task] = Counter()
    for task, batches, ticks in wants:
        bench.want(task, batches)
        bench.go_on(ticks / 10)
    queued = {task: sum(batches for asks, batches, _ in wants if asks == task) for task in TASKS}
    while any(bench.admission.report().waiting.values()):
        waiting, before = bench.admission.report().waiting, len(bench.granted)
        bench.go_on(1 / slices)
        for name in bench.names[before:]:
            for task in TASKS:
                passed[task] = 0 if task == name or not waiting[task] else passed[task] + 1
        assert max(passed.values(), default=0) <= 2
    assert bench.admission.report().granted == queued
    at_ns = [at for at, _ in bench.granted]
    for (first, begin_ns), (last, end_ns) in combinations(enumerate(at_ns), 2):
        assert last - first <= slices * ((end_ns - begin_ns) / SECOND_NS + 0.25) + 1e-6


# --- the feedback ---


@pytest.mark.parametrize("slow", ["store_ms", "wait_ms"])
def test_slices_fall_when_either_percentile_is_above_its_limit(slow: str) -> None:
    """By halves, once a second, to the least and not below; the background is granted no more than that."""
    bench = Bench()
    bench.want("anti-entropy", 10_000)
    seen = []
    for _ in range(8):
        bench.go_on(1, **{slow: [60]})
        seen.append(bench.admission.report().slices)
    assert seen == [8, 4, 2, 1, 1, 1, 1, 1]
    report = bench.admission.report()
    assert (report.halvings, report.lowest, report.highest) == (4, SLICES_MIN, SLICES_FIRST)
    assert bench.granted_between(5, 8) == 3 * SLICES_MIN


def test_slices_do_not_fall_below_the_limit() -> None:
    """48 of 50 ms are slow, and allowed: slices grow by a quarter a second, to the most."""
    bench = Bench()
    bench.go_on(10.5, store_ms=[48], wait_ms=[48])
    assert bench.admission.report().slices == SLICES_FIRST + 10 / 4
    bench.go_on(300, store_ms=[48], wait_ms=[48])
    assert (bench.admission.slices, bench.admission.halvings) == (SLICES_MAX, 0)


def test_recovery_is_slow_and_complete() -> None:
    """A slow spell of ten seconds is remembered for the window; then a quarter of a slice comes back every second."""
    bench = Bench(window_s=20)
    bench.want("transfers", 10_000)
    bench.go_on(10, store_ms=[80])
    bench.go_on(18, store_ms=[2])
    assert bench.admission.report().slices == SLICES_MIN

    bench.go_on(24, store_ms=[2])
    assert 5 <= bench.admission.report().slices <= 7
    report = bench.admission.report()
    assert report.highest - report.lowest == pytest.approx(20 / 4, abs=0.5)

    bench.go_on(280, store_ms=[2])
    report = bench.admission.report()
    assert report.lowest == report.slices == report.highest == SLICES_MAX


@pytest.mark.parametrize("slow", ["store_ms", "wait_ms"])
def test_a_waiting_task_is_judged_without_new_measurements(slow: str) -> None:
    """What was measured is still in the window; and when it has left, the slices stand where they began."""
    bench = Bench(window_s=10)
    bench.go_on(2, **{slow: [80]})
    for _ in range(200):
        bench.want("handoff", 1)
    bench.go_on(4)
    assert bench.admission.report().slices == SLICES_MIN
    bench.go_on(8)
    report = bench.admission.report()
    assert (report.slices, report.store_p99_ms, report.wait_p99_ms) == (SLICES_FIRST, None, None)
    assert report.waiting["handoff"]


def test_without_any_measurement_nothing_is_learnt() -> None:
    """However long work waits, there are as many slices as at the start: no news is not good news."""
    bench = Bench()
    bench.want("handoff", 10_000)
    bench.go_on(100)
    assert bench.admission.report().slices == SLICES_FIRST
    assert bench.granted_between(10, 100) == 90 * SLICES_FIRST


def test_the_least_is_enough_to_come_to_an_end() -> None:
    """With a store that stays slow, repair is late and not given up."""
    bench = Bench()
    bench.go_on(10, store_ms=[500])
    bench.want("handoff", 20)
    bench.go_on(21, store_ms=[500])
    assert len(bench.granted) == 20
    assert bench.conversations.open[Kind.HANDOFF] == 0


# --- a quiet node ---


def test_no_timer_runs_while_nobody_waits() -> None:
    """Neither before the first slice, nor for the feeds, nor after the last slice."""
    bench = Bench()
    bench.go_on(5, store_ms=[80], wait_ms=[80])
    assert not bench.due
    bench.want("handoff", 3)
    assert len(bench.due) == 1
    bench.go_on(5)
    assert not bench.due
    assert bench.admission.report().waiting == dict.fromkeys(TASKS, 0)


def test_a_wait_measured_for_its_own_timer_keeps_nothing_going() -> None:
    """The node feeds the lateness of every timer, of this one too: it must not set another for that."""
    bench = Bench()
    bench.want("handoff", 10)
    while bench.due:
        bench.fire(late_ns=3 * MS)
        bench.admission.waited(3 * MS, bench.timers.now_ns)
        assert bench.timers.now_ns < bench.start_ns + 2 * SECOND_NS
    assert len(bench.granted) == 10


def test_a_timer_that_fires_early_has_not_waited() -> None:
    """A host may round a delay down."""
    bench = Bench()
    bench.admission.waited(-1, bench.start_ns)
    assert bench.admission.report().wait_p99_ms == 0


def test_a_report_changes_nothing() -> None:
    """Looking often does not make the slices fall or grow."""
    bench, unseen = Bench(), Bench()
    for second in range(30):
        for each in (bench, unseen):
            each.want("handoff", 5)
            each.go_on(1, store_ms=[80 if 5 < second < 8 else 5])
        bench.admission.report()
    assert bench.admission.report() == unseen.admission.report()
    assert bench.granted == unseen.granted


# --- percentiles ---


@given(
    st.lists(st.tuples(st.integers(0, 3 * SECOND_NS), st.integers(0, 1 << 45)), max_size=300),
    st.sampled_from([1, 50, 90, 99, 100]),
    st.integers(1, 8),
)
def test_a_percentile_is_that_of_the_sorted_durations(feed: list[tuple[int, int]], percent: int, window_s: int) -> None:
    """By the nearest rank, never less than the truth, and more by less than 1/32; over the seconds of the window."""
    percentiles, now_ns, fed = Percentiles(window_s), 0, []
    for pause_ns, duration_ns in feed:
        now_ns += pause_ns
        percentiles.record(duration_ns, now_ns)
        fed.append((now_ns // SECOND_NS, duration_ns))
    kept = sorted(duration for second, duration in fed if second > now_ns // SECOND_NS - window_s)
    assert percentiles.count == len(kept)
    found = percentiles.at(percent)
    assert (found is None) is (not kept)
    if found is not None:
        truth = kept[-(-len(kept) * percent // 100) - 1]
        assert truth <= found <= truth + truth / 32


def test_a_window_forgets_second_by_second() -> None:
    """A duration counts for its window and not for longer; at last there is nothing."""
    percentiles = Percentiles(window_s=3)
    for second, duration_ns in enumerate([60, 40]):
        percentiles.record(duration_ns, second * SECOND_NS)
    for second, expected in [(2, 60), (3, 40), (4, None)]:
        percentiles.forget(second * SECOND_NS)
        assert percentiles.at(99) == expected
