"""Percentiles are those of the sorted durations, but for the width of a bucket, and forget what has left the window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.core.percentile import SECOND_NS, Percentiles


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
    percentiles.record(60, now_ns=0)
    percentiles.record(40, now_ns=SECOND_NS)
    for second, expected in [(2, 60), (3, 40), (4, None)]:
        percentiles.forget(second * SECOND_NS)
        assert percentiles.at(99) == expected
