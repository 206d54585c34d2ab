"""Let the clocks of a minority run too fast or too slow, up to one part in ten; its timers with them.

A node that runs too fast gives up early, one that runs too slow believes for too long. The rate is right again after
the heal, and the monotonic time that was won or lost stays so, as in life.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from random import Random

from nemesis.cuts import divide
from nemesis.draws import spread
from nemesis.powers import Clocks, Effect, Plan, Skew
from nemesis.skews import skewed

NEEDS = Clocks

DRIFT_PPM = 100, 100_000


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the minority, and the rate."""
    minority, _ = divide(nodes, rng.randint(1, max(1, (len(nodes) - 1) // 2)), rng)
    return Plan(nodes=minority, how={"drift_ppm": spread(rng, *DRIFT_PPM) * rng.choice((1, -1))})


def inject(clocks: Clocks, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Let the clocks drift for as long as the context is open."""
    return skewed(clocks, plan, Skew(drift_ppm=plan.how["drift_ppm"]))
