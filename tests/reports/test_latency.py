"""Percentiles are samples that were taken, in numbers that allow them, each under what was in force."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from checkers.episodes import episodes
from checkers.history import Completed, History, Invoked
from reports.latency import latencies, percentile, rows_of
from tests.checkers.story import FAILED, OK, UNKNOWN, Story

MS = 1_000_000
SPAN = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda span: (span[0], span[0] + span[1]))


def timed(story: Story, *, begin: int, end: int, f: str = "get", due: int | None = None) -> None:
    """An operation that was ok, with its times in milliseconds."""
    op = f"t{len(story.records)}"
    due_ns = None if due is None else due * MS
    story.records.append(Invoked(at=begin * MS, op=op, client="c1", node="n1", f=f, key="k", due=due_ns))
    story.records.append(Completed(at=end * MS, op=op, outcome=OK))
    story.now = max(story.now, end * MS)


def table(history: History) -> list[str]:
    """The lines that are printed."""
    drawn = latencies(history, episodes(history))
    assert drawn is not None
    paper = Console(file=io.StringIO(), width=100)
    paper.print(drawn)
    assert isinstance(paper.file, io.StringIO)
    return [line.rstrip() for line in paper.file.getvalue().splitlines()]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=1200), st.sampled_from([1, 500, 990, 999, 1000]))
def test_a_percentile_is_the_least_sample_that_covers_so_many(samples: list[int], permille: int) -> None:
    """As found by counting, for every candidate, how many samples are not above it."""
    covering = [each for each in samples if 1000 * sum(other <= each for other in samples) >= permille * len(samples)]
    assert percentile(sorted(samples), permille) == min(covering)


@given(st.lists(st.tuples(st.sampled_from("ab"), SPAN)), st.lists(SPAN, max_size=8), st.integers(0, 60))
def test_operations_are_sorted_as_episodes_say(
    injected: list[tuple[str, tuple[int, int]]], asked: list[tuple[int, int]], unhealed: int
) -> None:
    """An operation counts for each fault that overlaps it, and for its phase only if none does."""
    story = Story().phase("stress")
    for number, (name, (begin, end)) in enumerate([*injected, ("c", (unhealed, -1))], start=1):
        story.now = begin * MS
        story.fault(number, name, "started")
        story.now = end * MS
        if end >= 0:
            story.fault(number, name, "healed", delivered=True)
    story.now = 0
    for begin, end in asked:
        timed(story, begin=begin, end=end)
    history = story.told()
    expected: dict[str, list[int]] = {}
    for begin, end in asked:
        met = {each.name for each in episodes(history) if each.overlaps(begin * MS, end * MS)}
        struck = any(
            history.phase_at(each.started_at or 0) == history.phase_at(begin * MS) for each in episodes(history)
        )
        phase = history.phase_at(begin * MS) + (", no fault" if struck else "")
        for when in met or {phase}:
            expected.setdefault(when, []).append((end - begin) * MS)
    assert {row.when: row.samples for row in rows_of(history, episodes(history))} == expected


@pytest.mark.parametrize(
    ("count", "cells"),
    [
        (1, ["1", "1.0", "–", "–"]),
        (99, ["99", "50.0", "–", "–"]),
        (100, ["100", "50.0", "99.0", "–"]),
        (999, ["999", "500.0", "990.0", "–"]),
        (1000, ["1", "000", "500.0", "990.0", "999.0"]),
    ],
)
def test_no_percentile_is_made_up(count: int, cells: list[str]) -> None:
    """A hundred samples have a p99, a thousand a p99.9; fewer have a dash."""
    story = Story().phase("stress")
    for number in range(1, count + 1):
        timed(story, begin=10, end=10 + number)
    _header, row, _caption = table(story.told())
    assert row.split() == ["get", "stress", *cells]


def test_the_table() -> None:
    """Kinds, in each the phases in order, then the faults; with faults about, what met none says so."""
    story = Story().phase("load")
    timed(story, begin=20, end=24, f="put")
    story.phase("stress")
    timed(story, begin=50, end=1_251, f="put")
    timed(story, begin=50, end=60)
    story.wait(1).fault(1, "kill", "started").wait(1).fault(1, "kill", "healed", delivered=True)
    timed(story, begin=3_000, end=3_400)
    story.get("a", outcome=FAILED)
    story.get("a", outcome=UNKNOWN)
    story.get(outcome=UNKNOWN)
    assert table(story.told()) == [
        "latency, ms                    ok      p50  p99  p99.9",
        "get          stress, no fault   1     10.0    –      –",
        "             kill               1    400.0    –      –",
        "put          load               1      4.0    –      –",
        "             stress, no fault   1  1 201.0    –      –",
        "from invocation to answer, ok operations only",
    ]


def test_latency_counts_from_when_an_operation_was_due() -> None:
    """An operation that waited for its client took that long as well; and the caption says from when it counts."""
    story = Story().phase("stress")
    timed(story, begin=1_500, end=1_510, due=500)
    lines = table(story.told())
    assert lines[1].split() == ["get", "stress", "1", "1", "010.0", "–", "–"]
    assert lines[-1] == "from when it was due to answer, ok operations only"
    timed(story, begin=1_500, end=1_510)
    assert "where that is known, else from invocation" in table(story.told())[-1]


def test_two_faults_at_once_count_for_both() -> None:
    """And the caption says so, because the counts then add up to more than there were."""
    story = Story().phase("stress").fault(1, "kill", "started").fault(2, "cut", "started")
    timed(story, begin=40, end=50)
    lines = table(story.told())
    assert [line.split()[:2] for line in lines[1:3]] == [["get", "kill"], ["cut", "1"]]
    assert lines[-1].endswith("one that met two faults counts for both")


def test_nothing_to_tell() -> None:
    """No operation that was ok, no table."""
    story = Story().phase("stress")
    story.put("a", outcome=FAILED)
    story.put("b", answered=False)
    assert latencies(story.told(), ()) is None
