"""Percentiles of the durations of the last so many seconds, at a price that every commit can pay.

Durations are counted in buckets whose widths grow with them: 32 to each power of two, exact below 64 ns (the idea of
HdrHistogram). There is one histogram a second, so that a whole second is forgotten at a time, and one of them all. A
percentile is the upper edge of its bucket: **never less than the truth, and more by less than 1/32 of it** (3.2 %).

This file knows durations and when they were recorded. It does not know whose they are, nor how long is too long.
"""

from __future__ import annotations

from collections import deque

SECOND_NS = 1_000_000_000

_BITS = 5
"""Buckets to a power of two, as a power of two: the relative error is less than 1 / 2**_BITS."""


class Percentiles:
    """The durations of the last `window_s` seconds.

    Seconds are those of the clock, the present one among them: a duration is forgotten at an age of more than
    `window_s` - 1 seconds and at most `window_s`.
    """

    def __init__(self, window_s: int) -> None:
        assert window_s >= 1, f"a window of {window_s} s has nothing in it"
        self.count = 0
        self._window_s = window_s
        self._second = -1
        self._newest: dict[int, int] = {}
        self._seconds: deque[tuple[int, dict[int, int]]] = deque()
        self._all: dict[int, int] = {}

    def record(self, duration_ns: int, now_ns: int) -> None:
        """Count a duration that ended now; constant time, but for the first one of a second."""
        assert duration_ns >= 0, f"nothing lasts {duration_ns} ns"
        second = now_ns // SECOND_NS
        if second != self._second:
            self._begin(second)
        shift = duration_ns.bit_length() - _BITS - 1
        bucket = (shift << _BITS) + (duration_ns >> shift) if shift > 0 else duration_ns
        self._newest[bucket] = self._newest.get(bucket, 0) + 1
        self._all[bucket] = self._all.get(bucket, 0) + 1
        self.count += 1

    def forget(self, now_ns: int) -> None:
        """Forget the seconds that have left the window."""
        last = now_ns // SECOND_NS - self._window_s
        while self._seconds and self._seconds[0][0] <= last:
            self._subtract(self._seconds.popleft()[1])

    def at(self, percent: int) -> int | None:
        """The least duration, in nanoseconds, that so many per cent do not exceed; None when there is none at all.

        Below 100 durations the 99th percentile is the longest of them.
        """
        longer = self.count * (100 - percent) // 100
        for bucket in sorted(self._all, reverse=True):
            longer -= self._all[bucket]
            if longer < 0:
                return _upper_edge(bucket)
        return None

    def _begin(self, second: int) -> None:
        self.forget(second * SECOND_NS)
        self._second = second
        self._newest = {}
        self._seconds.append((second, self._newest))

    def _subtract(self, histogram: dict[int, int]) -> None:
        for bucket, count in histogram.items():
            self.count -= count
            self._all[bucket] -= count


def _upper_edge(bucket: int) -> int:
    """The longest duration that is counted in a bucket."""
    shift = max(0, (bucket >> _BITS) - 1)
    return ((bucket - (shift << _BITS) + 1) << shift) - 1
