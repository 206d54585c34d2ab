"""Slices fall while the foreground is unwell and no further than it helps, and come back slowly (Dynamo, 6.5)."""

from __future__ import annotations

import pytest

from node.core.admission import SLICES_FIRST, SLICES_MAX, SLICES_MIN, WINDOW_S
from node.core.conversations import Kind
from node.core.percentile import SECOND_NS
from tests.node.core.bench import MS, Bench

FEEDS = ["store_ms", "wait_ms"]


@pytest.mark.parametrize("slow", FEEDS)
def test_slices_fall_while_either_percentile_is_above_its_limit(slow: str) -> None:
    """By halves, once a second, to the least and not below; the background is granted no more than that."""
    bench = Bench()
    bench.want("anti-entropy", 10_000)
    assert bench.slices_after_each(8, **{slow: [60] + [5] * 49}) == [8, 4, 2, 1, 1, 1, 1, 1]
    report = bench.admission.report()
    assert (report.halvings, report.lowest, report.highest) == (4, SLICES_MIN, SLICES_FIRST)
    assert bench.granted_between(5, 8) == 3 * SLICES_MIN


def test_slices_do_not_fall_below_the_limit() -> None:
    """48 of 50 ms are slow, and allowed: slices grow by one a second, to the most."""
    bench = Bench()
    bench.want("anti-entropy", 10_000)
    rising = [*range(SLICES_FIRST + 1, SLICES_MAX), *[SLICES_MAX] * 10]
    assert bench.slices_after_each(len(rising), store_ms=[48], wait_ms=[48]) == rising


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize(
    ("latency_ms", "p99_ms", "slices"), [(49.2, 49.283071, [17, 18, 19]), (49.3, 50.331647, [8, 4, 2])]
)
def test_the_percentile_errs_on_the_side_of_the_foreground(
    feed: str, latency_ms: float, p99_ms: float, slices: list[float]
) -> None:
    """49.3 ms are allowed, and halve all the same: a percentile is the upper edge of its bucket, never less than the
    truth and more by less than 1/32, and the limit is in the bucket that ends at 50.33 ms.
    """
    bench = Bench()
    bench.want("anti-entropy", 10_000)
    assert bench.slices_after_each(3, **{feed: [latency_ms]}) == slices
    report = bench.admission.report()
    assert {report.store_p99_ms, report.wait_p99_ms} == {None, p99_ms}


@pytest.mark.parametrize("slow", FEEDS)
def test_a_slow_second_costs_one_halving_and_is_remembered_for_the_window(slow: str) -> None:
    """Nothing changes until it has left the window, from where on a slice comes back every second."""
    bench = Bench()
    bench.want("transfers", 10_000)
    assert bench.slices_after_each(1, **{slow: [60]}) == [8]
    assert bench.slices_after_each(WINDOW_S - 2, **{slow: [5]}) == [8] * (WINDOW_S - 2)
    report = bench.admission.report()
    assert max(report.store_p99_ms or 0, report.wait_p99_ms or 0) > 50
    assert bench.slices_after_each(WINDOW_S // 2, **{slow: [5]}) == [*range(9, 9 + WINDOW_S // 2)]
    report = bench.admission.report()
    assert (report.lowest, report.highest, report.halvings) == (8, 8 + WINDOW_S // 2, 1)


@pytest.mark.parametrize("slow", FEEDS)
def test_slices_fall_no_further_than_it_helps(slow: str) -> None:
    """With four slices the foreground is well, four tenths of a second after they were cut; there they stay, though
    the window is full of what was before.
    """
    bench, felt, seen = Bench(), float(SLICES_FIRST), []
    bench.want("handoff", 10_000)
    for _ in range(WINDOW_S // 2):
        bench.go_on(0.4, **{slow: [60 if felt > 4 else 5]})
        felt = bench.admission.slices
        seen.append(bench.go_on(0.6, **{slow: [60 if felt > 4 else 5]}))
    assert seen == [8, *[4] * (WINDOW_S // 2 - 1)]


@pytest.mark.parametrize("slow", FEEDS)
def test_another_slow_second_costs_another_halving(slow: str) -> None:
    """However long the foreground was well between them, as long as more than one per cent since then are slow."""
    bench = Bench()
    bench.want("handoff", 10_000)
    assert bench.slices_after_each(1, **{slow: [60]}) == [8]
    assert bench.slices_after_each(40, **{slow: [5]}) == [8] * 40
    assert bench.slices_after_each(1, **{slow: [60]}) == [4]
    assert bench.slices_after_each(10, **{slow: [5]}) == [4] * 10


@pytest.mark.parametrize("slow", FEEDS)
@pytest.mark.parametrize(("outlier_at", "halvings"), [(20, 1), (60, 2), (120, 1), (199, 1)])
def test_permitted_outliers_do_not_make_slices_collapse(slow: str, outlier_at: int, halvings: int) -> None:
    """After a slow second, half a per cent as long as they like hold the slices and do not cut them. Only one among the
    first that are measured after a halving does, once: of less than a hundred, the 99th percentile is the longest.
    """
    bench = Bench()
    bench.want("transfers", 10_000)
    bench.go_on(1, **{slow: [60]})
    outliers = [5] * 200
    outliers[(100 + outlier_at) % 200] = 900
    expected = [SLICES_FIRST / 2**halvings] * (WINDOW_S - 2)
    assert bench.slices_after_each(WINDOW_S - 2, **{slow: outliers}) == expected
    assert bench.admission.halvings == halvings


@pytest.mark.parametrize(("slow", "other"), [FEEDS, FEEDS[::-1]])
@pytest.mark.parametrize("outlier_at", [0, 60, 120])
def test_what_was_slow_is_not_held_against_the_other(slow: str, other: str, outlier_at: int) -> None:
    """A slow second of the one, and permitted outliers of the other, even right after the halving, are both well."""
    bench = Bench()
    bench.want("transfers", 10_000)
    assert bench.go_on(10, store_ms=[5], wait_ms=[5]) == 26
    assert bench.go_on(1, **{slow: [60], other: [5]}) == 13
    outliers = [5] * 200
    outliers[(100 + outlier_at) % 200] = 900
    assert bench.slices_after_each(WINDOW_S - 2, **{slow: [5], other: outliers}) == [13] * (WINDOW_S - 2)


@pytest.mark.parametrize("measured", ["stored", "waited"])
@pytest.mark.parametrize(("after_ns", "slices"), [(SECOND_NS // 2 - 1, 8), (SECOND_NS // 2, 4)])
def test_a_halving_has_half_a_second_to_settle(measured: str, after_ns: int, slices: int) -> None:
    """What is measured before that says nothing about the slices that are left."""
    bench = Bench()
    halved_ns = bench.start_ns + SECOND_NS
    for latency_ms, at_ns in [(60, -SECOND_NS), (60, 0), (60, after_ns), (5, SECOND_NS)]:
        getattr(bench.admission, measured)(latency_ms * MS, halved_ns + at_ns)
    assert bench.admission.slices == slices


@pytest.mark.parametrize("slow", FEEDS)
def test_a_waiting_task_is_judged_without_new_measurements(slow: str) -> None:
    """What was measured halves once and holds for the window; then slices stand where they began."""
    bench = Bench(window_s=10)
    bench.go_on(1, **{slow: [80]})
    for _ in range(200):
        bench.want("handoff", 1)
    assert bench.slices_after_each(9) == [8] * 9
    assert bench.slices_after_each(3) == [8, SLICES_FIRST, SLICES_FIRST]
    report = bench.admission.report()
    assert (report.store_p99_ms, report.wait_p99_ms, report.waiting["handoff"] > 0) == (None, None, True)


@pytest.mark.parametrize("slow", FEEDS)
def test_what_has_left_the_window_excuses_nothing_in_it(slow: str) -> None:
    """4 of 504 are allowed to be slow, and 4 of 304 are not: once two seconds have left, slices are halved."""
    bench = Bench(window_s=10)
    bench.want("handoff", 10_000)
    assert bench.go_on(5, **{slow: [5]}) == 21
    bench.go_on(0.04, **{slow: [60]})
    assert bench.slices_after_each(8) == [22, 22, 23, 24, 25, 26, 13, 13]
    assert bench.admission.halvings == 1


def test_without_any_measurement_nothing_is_learnt() -> None:
    """However long work waits, there are as many slices as at the start: no news is not good news."""
    bench = Bench()
    bench.want("handoff", 10_000)
    assert bench.slices_after_each(100) == [SLICES_FIRST] * 100
    assert bench.granted_between(10, 100) == 90 * SLICES_FIRST


def test_the_least_is_enough_to_come_to_an_end() -> None:
    """With a store that stays slow, repair is late and not given up."""
    bench = Bench()
    bench.go_on(10, store_ms=[500])
    bench.want("handoff", 20)
    bench.go_on(21, store_ms=[500])
    assert len(bench.granted) == 20
    assert bench.conversations.open[Kind.HANDOFF] == 0


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
