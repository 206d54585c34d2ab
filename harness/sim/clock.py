"""The clock of one simulated node: virtual time, run too fast or too slow, and a wall clock that may be set off.

Monotonic time never jumps; drift makes it run at another rate, and every timer with it. An offset is the wall clock's
alone. Reads of a clock that is off are counted, because a skewed clock that nobody reads tests nothing. This file
knows rates. It does not know who reads.
"""

from __future__ import annotations

from harness.sim.loop import SimLoop
from nemesis.powers import Skew

PPM = 1_000_000


class SimClock:
    """A node's clock over all its lives."""

    def __init__(self, loop: SimLoop) -> None:
        self.reads = 0
        self.skewed = Skew()
        self._loop = loop
        self._from_ns = 0
        self._then_ns = 0
        self._drifts = False

    def skew(self, skew: Skew) -> None:
        """Set the clock off from now on; what has gone by stays as it was read."""
        self._then_ns, self._from_ns = self._read_ns(), self._loop.now_ns
        self.skewed = skew
        self._drifts = bool(skew.drift_ppm) or self._then_ns != self._from_ns

    def now_ns(self) -> int:
        """Monotonic time as the node reads it."""
        if not self._drifts:
            return self._loop.now_ns
        self.reads += bool(self.skewed.drift_ppm)
        return self._read_ns()

    def offset_ns(self) -> int:
        """How far the wall clock is off."""
        self.reads += bool(self.skewed.offset_ms)
        return round(self.skewed.offset_ms * 1e6)

    def lasts_ns(self, delay_ns: int) -> int:
        """How long a delay by this clock takes in virtual time."""
        if not self._drifts:
            return delay_ns
        return round(delay_ns * PPM / (PPM + self.skewed.drift_ppm))

    def _read_ns(self) -> int:
        gone_ns = self._loop.now_ns - self._from_ns
        return self._then_ns + gone_ns + round(gone_ns * self.skewed.drift_ppm / PPM)
