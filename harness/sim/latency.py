"""How long a message takes on a simulated link, and a sync on a simulated disk: log-normal times, drawn fast.

What is drawn depends on who draws and on the millisecond, and not on how often was drawn before. So a run from which
one operation was left out is the same run wherever that had no effect, to the nanosecond, and what was found in it is
still there: shrinking lives on that. Two messages of one link within a millisecond share their delay.

A draw reads a table of quantiles, made once for each distribution, and interpolates; the tail is bounded at about one
in four thousand. This file knows distributions and times. It does not know what takes that time.
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

_WORD = (1 << 64) - 1
_UNIT = 2.0**-53
_MILLISECOND_BITS = 20
"""A millisecond is 2**20 ns here, near enough."""


class Chance:
    """One stream of chance: what it gives for a time is always the same."""

    def __init__(self, seed: str) -> None:
        self._seed = random.Random(seed).getrandbits(64)

    def at(self, at_ns: int, salt: int = 0) -> float:
        """A number from 0 to below 1 for the millisecond of that time; another `salt` gives another one.

        Two rounds of multiply and shift, after the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
        """
        word = (((at_ns >> _MILLISECOND_BITS) + (salt << 44)) * 0x9E3779B97F4A7C15 ^ self._seed) & _WORD
        word = (word ^ word >> 29) * 0xBF58476D1CE4E5B9 & _WORD
        return ((word ^ word >> 32) >> 11) * _UNIT


class Latency:
    """Log-normal times with this median in microseconds, and `sigma` of their logarithm (0: always the same)."""

    def __init__(self, median_us: float = MEDIAN_US, sigma: float = SIGMA) -> None:
        self._table = _quantiles(median_us, sigma)

    def draw_ns(self, chance: float) -> int:
        """The time, in nanoseconds, that a number from 0 to 1 stands for."""
        place = chance * (STEPS - 1)
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
