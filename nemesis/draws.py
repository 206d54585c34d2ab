"""Draw what several faults draw: numbers whose order of magnitude matters, and links to make bad.

What is drawn is rounded, so that a plan reads well and says the same when it is written down and read again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from nemesis.cuts import divide
from nemesis.powers import Link


def spread(rng: Random, least: float, most: float) -> float:
    """Draw a number with two digits, each order of magnitude with the same chance (log-uniform)."""
    drawn = math.exp(rng.uniform(math.log(least), math.log(most)))
    return min(most, max(least, float(f"{drawn:.2g}")))


def most_links(nodes: Sequence[str], rng: Random) -> tuple[Link, ...]:
    """Draw at least half of the nodes, and take every link that begins or ends at one of them."""
    group, _ = divide(nodes, rng.randint((len(nodes) + 1) // 2, len(nodes)), rng)
    return tuple(
        (source, target)
        for source in nodes
        for target in nodes
        if source != target and (source in group or target in group)
    )
