"""Cut links: the shapes that partitions share, and the one way in which all of them are injected.

This file knows groups of nodes and directed links. It does not know how a world drops traffic. A cut that dropped
nothing was not delivered: it may have come when nobody spoke, and then the run has not tested it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from nemesis.cures import mended
from nemesis.powers import Cut, Effect, Link, Network, Plan, PlanError

Group = tuple[str, ...]


def need(fault: str, nodes: Sequence[str], least: int) -> None:
    """Refuse to plan a fault for fewer nodes than it makes sense with."""
    if len(nodes) < least:
        raise PlanError(f"{fault} needs at least {least} nodes; there are {len(nodes)}")


def divide(nodes: Sequence[str], size: int, rng: Random) -> tuple[Group, Group]:
    """Draw a group of that size and the rest, both in the cluster's order, so that plans read alike."""
    drawn = rng.sample(range(len(nodes)), size)
    return (
        tuple(node for place, node in enumerate(nodes) if place in drawn),
        tuple(node for place, node in enumerate(nodes) if place not in drawn),
    )


def towards(group: Sequence[str], others: Sequence[str]) -> tuple[Link, ...]:
    """What the one group sends to the other."""
    return tuple((source, target) for source in group for target in others)


def between(group: Sequence[str], others: Sequence[str]) -> tuple[Link, ...]:
    """What the two groups send to each other."""
    return towards(group, others) + towards(others, group)


@asynccontextmanager
async def inject(network: Network, plan: Plan) -> AsyncIterator[Effect]:
    """Cut the plan's links for as long as the context is open; the proof is each link's traffic, read at the heal."""
    effect = Effect()
    traffic: Cut = {}
    try:
        async with mended(network.cut(plan.links), "the cut") as traffic:
            yield effect
    finally:
        prove(effect, traffic)


def prove(effect: Effect, traffic: Cut) -> None:
    """Take over what each cut link saw and dropped."""
    for (source, target), count in traffic.items():
        effect.observed[f"{source}>{target}"] = {"seen": count.seen, "dropped": count.dropped}
    effect.delivered = any(count.dropped > 0 for count in traffic.values())
