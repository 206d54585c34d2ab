"""A simulated clock: drift bends monotonic time and never breaks it, an offset is the wall clock's alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sim.clock import SimClock
from harness.sim.loop import virtual
from nemesis.powers import Skew

SECOND = 10**9

DRIFTS = st.lists(st.tuples(st.integers(-100_000, 100_000), st.integers(0, 10 * SECOND)), max_size=8)


@settings(deadline=None)
@given(DRIFTS)
def test_monotonic_time_never_jumps(drifts: list[tuple[int, int]]) -> None:
    """However often the rate changes, what has gone by stays as it was read, and a span is as long as its rate says."""
    loop = virtual()
    clock = SimClock(loop)
    for ppm, span_ns in drifts:
        before_ns = clock.now_ns()
        clock.skew(Skew(drift_ppm=ppm, offset_ms=1e6))
        assert clock.now_ns() == before_ns
        loop.now_ns += span_ns
        assert abs(clock.now_ns() - before_ns - span_ns * (1_000_000 + ppm) / 1_000_000) <= 1


def test_time_that_was_won_stays_won() -> None:
    """When the rate is right again, the clock goes on from where it is."""
    loop = virtual()
    clock = SimClock(loop)
    clock.skew(Skew(drift_ppm=100_000))
    loop.now_ns = 10 * SECOND
    clock.skew(Skew())
    loop.now_ns = 20 * SECOND
    assert clock.now_ns() == 21 * SECOND
    assert clock.lasts_ns(SECOND) == SECOND


def test_an_offset_moves_the_wall_clock_only() -> None:
    """Monotonic time and timers know nothing of it."""
    loop = virtual()
    clock = SimClock(loop)
    loop.now_ns = SECOND
    clock.skew(Skew(offset_ms=-3_600_000))
    assert clock.offset_ns() == -3600 * SECOND
    assert (clock.now_ns(), clock.lasts_ns(SECOND)) == (SECOND, SECOND)


def test_only_reads_of_what_is_off_are_counted() -> None:
    """A clock that is off and that nobody reads tests nothing."""
    clock = SimClock(virtual())
    clock.now_ns(), clock.offset_ns()
    assert clock.reads == 0
    clock.skew(Skew(offset_ms=5))
    clock.now_ns()
    assert clock.reads == 0, "monotonic time is not off"
    clock.offset_ns()
    assert clock.reads == 1
    clock.skew(Skew(drift_ppm=5))
    clock.now_ns(), clock.offset_ns()
    assert clock.reads == 2
    clock.skew(Skew())
    clock.now_ns(), clock.offset_ns()
    assert clock.reads == 2
