"""Hypothesis strategies for property tests of your own: fault schedules, workloads, configurations of a cluster.

    from harness.strategies import cluster_configs, fault_schedules, workloads

What is drawn is what the harness draws for itself, plain data, and it shrinks: towards fewer, earlier and shorter
faults at the first nodes, fewer operations of the first client on the first key, and the smallest cluster. Arguments
that make no sense raise `ValueError` at once, and not when an example is drawn. This file needs Hypothesis, which the
harness itself does not; nothing else of it imports this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec.structs import replace

from harness.contracts import Step
from nemesis.catalog import NoSuchFaultError, goes, is_beyond, is_staged, load, loses_disk, names, spares_of
from nemesis.powers import PlanError
from nemesis.schedule import Injection, Schedule, collide
from node.core.config import ClusterConfig

TICK_NS = 100_000_000
"""Faults begin and end on multiples of this."""
SHORTEST_TICKS = 5
"""A shorter fault may be over before anything has met it."""
REST_NS = 500_000_000
"""The least time between two faults of one power at the same node or link."""
LOOK_BACK = 4
"""A put may carry the context of so many of its client's last operations on the key."""


# --- faults ----------------------------------------------------------------------------------------------------------


def fault_schedules(
    *, nodes: Sequence[str], duration_s: float = 20.0, faults: Sequence[str] | None = None, max_faults: int = 4
) -> SearchStrategy[Schedule]:
    """Schedules of at most so many faults at these nodes, all of them healed when the duration is over.

    Without `faults` it is all that there are, but for those that need more nodes, those whose victims do not come back,
    and those that no configuration claims to survive. What the harness' own schedules keep is kept here: two faults of
    one power never hold the same node or link, and one disk is lost at the most.
    """
    ticks = int(duration_s * 1e9) // TICK_NS
    _check_nodes(nodes)
    _check(max_faults >= 0, f"max_faults is {max_faults}; give 0 or more")
    _check(ticks >= SHORTEST_TICKS, f"duration_s is {duration_s:g}; a fault takes at least {_SHORTEST_S:g} s")
    chosen = _survivable(nodes) if faults is None else tuple(dict.fromkeys(faults))
    _check(bool(chosen), "faults is empty; give the name of one, or leave it out for all that there are")
    for name in chosen:
        _check_fault(name, nodes)
    return _schedules(tuple(nodes), ticks, chosen, max_faults)


@st.composite
def _schedules(
    draw: st.DrawFn, nodes: tuple[str, ...], ticks: int, chosen: tuple[str, ...], max_faults: int
) -> Schedule:
    """Draw the disk that may be lost, then each fault; of two that collide the one that was drawn first stays."""
    frail = draw(st.sampled_from(nodes)) if any(map(loses_disk, chosen)) else nodes[0]
    taken: list[Injection] = []
    for injection in draw(st.lists(_injections(nodes, frail, ticks, chosen), max_size=max_faults)):
        if not any(collide(injection, other, REST_NS) for other in taken):
            taken.append(injection)
    taken.sort(key=lambda injection: injection.at_ns)
    return tuple(replace(injection, id=number) for number, injection in enumerate(taken, start=1))


@st.composite
def _injections(draw: st.DrawFn, nodes: tuple[str, ...], frail: str, ticks: int, chosen: tuple[str, ...]) -> Injection:
    """Draw one fault. Its own `plan` chooses, but whatever it chooses Hypothesis draws for it, and can make smaller."""
    name = draw(st.sampled_from(chosen))
    at = draw(st.integers(0, ticks - SHORTEST_TICKS))
    lasts = draw(st.integers(SHORTEST_TICKS, ticks - at))
    rng = draw(st.randoms(use_true_random=False))
    plan = load(name).plan((frail,) if loses_disk(name) else nodes, rng)
    return Injection(id=0, name=name, at_ns=at * TICK_NS, for_ns=lasts * TICK_NS, plan=plan)


def _survivable(nodes: Sequence[str]) -> tuple[str, ...]:
    """All faults that these nodes are enough for, but for those that say of themselves that they go beyond, that their
    victims do not come back, or that others have to be chosen for them.
    """
    return tuple(
        name
        for name in names()
        if not (is_beyond(name) or is_staged(name) or goes(name)) and _why_not(name, nodes) is None
    )


def _why_not(name: str, nodes: Sequence[str]) -> str | None:
    """Why the fault cannot be planned for these nodes, or None when it can."""
    try:
        load(name).plan(nodes[:1] if loses_disk(name) else nodes, Random("whether it can be planned"))
    except (NoSuchFaultError, PlanError) as error:
        return str(error)
    return f"{name} lets nodes in, and a schedule of these nodes has none to come" if spares_of(name) else None


def _check_fault(name: str, nodes: Sequence[str]) -> None:
    why_not = _why_not(name, nodes)
    _check(why_not is None, f"faults: {why_not}")


# --- operations ------------------------------------------------------------------------------------------------------


def workloads(
    *, nodes: Sequence[str], keys: int = 2, clients: int = 2, max_operations: int = 20
) -> SearchStrategy[tuple[Step, ...]]:
    """The operations of some clients in the order in which they come up, as `register` names them.

    A value is the name of its put, so each is written once. A put carries the context of an earlier operation of the
    same client on the same key, or none.
    """
    _check_nodes(nodes)
    for name, number in (("keys", keys), ("clients", clients), ("max_operations", max_operations)):
        least = 0 if name == "max_operations" else 1
        _check(number >= least, f"{name} is {number}; give {least} or more")
    places = [(f"c{client}", f"k{key}") for client in range(1, clients + 1) for key in range(keys)]
    return _workloads(tuple(nodes), places, max_operations)


@st.composite
def _workloads(
    draw: st.DrawFn, nodes: tuple[str, ...], places: list[tuple[str, str]], max_operations: int
) -> tuple[Step, ...]:
    """Draw how many first: a list by itself would have five on average, whatever its bound."""
    size = draw(st.integers(0, max_operations))
    one = st.tuples(st.sampled_from(places), st.sampled_from(_DEEDS), st.sampled_from(nodes))
    return _steps(draw(st.lists(one, min_size=size, max_size=size)))


_DEEDS = (("put", 0), ("get", 0), *(("put", back) for back in range(1, LOOK_BACK + 1)))
"""What an operation does, and how many of its client's operations on the key it looks back for a context, 0 for none.

Three draws are few enough for the shrinker to take an operation out of the middle; with six it gave up.
"""


def _steps(drawn: list[tuple[tuple[str, str], tuple[str, int], str]]) -> tuple[Step, ...]:
    """Name what was drawn. Where there are fewer operations than a put looks back, it looks at the first: so the same
    one stays named while those in between fall away.
    """
    steps: list[Step] = []
    numbers: dict[str, int] = {}
    for (client, key), (f, back), node in drawn:
        numbers[client] = numbers.get(client, 0) + 1
        op = f"{client}.{numbers[client]}"
        earlier = [step.op for step in steps if step.client == client and step.key == key]
        seen = earlier[-min(back, len(earlier))] if back and earlier else None
        value = op if f == "put" else None
        steps.append(Step(op=op, client=client, node=node, f=f, key=key, value=value, context_of=seen))
    return tuple(steps)


# --- clusters --------------------------------------------------------------------------------------------------------


def cluster_configs(*, max_members: int = 5, overlapping: bool = False) -> SearchStrategy[ClusterConfig]:
    """Valid configurations of one to so many members: n1, n2, …

    With `overlapping` every quorum of readers meets every quorum of writers: R + W > N.
    """
    _check(1 <= max_members <= MEMBERS_MAX, f"max_members is {max_members}; it can be 1 to {MEMBERS_MAX}")
    return _configs(max_members, overlapping=overlapping)


MEMBERS_MAX = 64


@st.composite
def _configs(draw: st.DrawFn, max_members: int, *, overlapping: bool) -> ClusterConfig:
    members = draw(st.integers(1, max_members))
    n = draw(st.integers(1, members))
    w = draw(st.integers(1, n))
    r = draw(st.integers(n - w + 1 if overlapping else 1, n))
    return ClusterConfig(
        members=tuple(f"n{number}" for number in range(1, members + 1)),
        secret="a secret",
        partitions=draw(st.integers(members, 4 * MEMBERS_MAX)),
        n=n,
        r=r,
        w=w,
    ).checked()


# --- arguments -------------------------------------------------------------------------------------------------------

_SHORTEST_S = SHORTEST_TICKS * TICK_NS / 1e9


def _check(right: bool, wrong: str) -> None:
    if not right:
        raise ValueError(wrong)


def _check_nodes(nodes: Sequence[str]) -> None:
    if isinstance(nodes, str) or not nodes or len(set(nodes)) != len(nodes):
        raise ValueError(f"nodes is {nodes!r}; give the names of at least one node, each of them once")
