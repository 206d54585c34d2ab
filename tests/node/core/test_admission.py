"""Background work gets its slices evenly, in turn, and without a timer of its own (Dynamo, 6.5)."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.admission import SLICES_FIRST, TASKS, Task
from node.core.percentile import SECOND_NS
from tests.node.core.bench import MS, Bench

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
    """After a minute in which nobody wanted any, there are those of a quarter of a second; and no more after a timer
    that is ten seconds late, on a node that was paused.
    """
    bench = Bench()
    bench.go_on(60)
    bench.want("handoff", 1000)
    assert len(bench.granted) == 1 + SLICES_FIRST // 4
    bench.fire(late_ns=10 * SECOND_NS)
    assert len(bench.granted) == 2 * (1 + SLICES_FIRST // 4)


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
    bench, asked = Bench(), [f"{number}" for number in range(50)]
    for name in asked:
        bench.want("handoff", 1, name)
    bench.go_on(5)
    assert bench.names == asked


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
