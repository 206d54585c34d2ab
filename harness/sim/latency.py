"""How long a message takes on a simulated link, and a sync on a simulated disk: log-normal times, drawn fast.

A draw reads a table of quantiles that is made once for each distribution, and interpolates; that is three times as
fast as drawing from the normal distribution, and it bounds the tail at about one in four thousand. This file knows a
distribution. It does not know what takes that time.
"""

from __future__ import annotations

import math
import random
from functools import lru_cache
from statistics import NormalDist

STEPS = 4096

MEDIAN_US = 350.0
SIGMA = 0.6
"""A local network with a tail (median 0.35 ms, p99.9 about 2.2 ms)."""


class Latency:
    """Log-normal times with this median in microseconds, and `sigma` of their logarithm (0: always the same)."""

    def __init__(self, median_us: float = MEDIAN_US, sigma: float = SIGMA) -> None:
        self._table = _quantiles(median_us, sigma)

    def draw_ns(self, rng: random.Random) -> int:
        """Draw one time in nanoseconds."""
        place = rng.random() * (STEPS - 1)
        index = int(place)
        below = self._table[index]
        return int(below + (self._table[index + 1] - below) * (place - index))


@lru_cache(maxsize=64)
def _quantiles(median_us: float, sigma: float) -> tuple[float, ...]:
    """The quantiles in the middle of each step, in nanoseconds."""
    normal = NormalDist()
    return tuple(
        median_us * 1000 * math.exp(sigma * normal.inv_cdf((step + 0.5) / (STEPS + 1))) for step in range(STEPS + 1)
    )
