"""Set the wall clocks of a minority off, all by the same time, ahead or behind; set them right at the heal.

Monotonic time does not jump, so only what asks for the time of day can notice. A store that orders writes by it loses
them here.
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

OFFSET_MS = 50, 3_600_000


def plan(nodes: Sequence[str], rng: Random) -> Plan:
    """Draw the minority, and how far off."""
    minority, _ = divide(nodes, rng.randint(1, max(1, (len(nodes) - 1) // 2)), rng)
    return Plan(nodes=minority, how={"offset_ms": spread(rng, *OFFSET_MS) * rng.choice((1, -1))})


def inject(clocks: Clocks, plan: Plan) -> AbstractAsyncContextManager[Effect]:
    """Keep the clocks off for as long as the context is open."""
    return skewed(clocks, plan, Skew(offset_ms=plan.how["offset_ms"]))
