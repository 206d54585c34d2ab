"""Faults at given times, into victims that are drawn: a timeline is what a scenario says, a schedule is what happens.

Victims have names, such as `a` and `b`. Each name is another node in each seed, and the same one in all beats of a
run: so two beats share a victim by sharing its name, and avoid each other's by not doing so. `new1` is the first spare,
and a name such as `dc2` stands for a group of nodes that the caller knows. This file knows times and names; what a
fault does to its victims is its own business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from nemesis.catalog import load, spares_of
from nemesis.powers import Plan, PlanError
from nemesis.schedule import Injection, Schedule, numbered

SECOND_NS = 1_000_000_000

NEW = "new"
"""How the names of spares begin."""

_ATTEMPTS = 2000


@dataclass(frozen=True)
class Beat:
    """One fault: from `at_s` after the start of the faults for `for_s`, into the `victims`, whose names stand apart.

    Without victims the fault draws its own. `how` are those of its numbers that are not left to chance.
    """

    at_s: float
    for_s: float
    fault: str
    victims: str = ""
    how: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The victims' names."""
        return tuple(self.victims.split())


Timeline = tuple[Beat, ...]


def faults_of(timeline: Timeline) -> tuple[str, ...]:
    """The faults of a timeline, each once."""
    return tuple(dict.fromkeys(beat.fault for beat in timeline))


def drawn(
    timeline: Timeline,
    nodes: Sequence[str],
    *,
    seed: int | str,
    spares: Sequence[str] = (),
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> Schedule:
    """Draw who the victims are and what is left to chance; a pure function of its arguments.

    Raises `PlanError` when there are fewer nodes, or spares, than names, or no fault of the kind hits exactly those.
    """
    cast = _cast(timeline, nodes, spares, groups or {}, seed)
    return numbered(
        Injection(
            id=0,
            name=beat.fault,
            at_ns=round(beat.at_s * SECOND_NS),
            for_ns=round(beat.for_s * SECOND_NS),
            plan=_plan(beat, cast, (*nodes, *spares), nodes, Random(f"{seed}:timeline:{place}:{beat.fault}")),
        )
        for place, beat in enumerate(timeline)
    )


def _cast(
    timeline: Timeline,
    nodes: Sequence[str],
    spares: Sequence[str],
    groups: Mapping[str, tuple[str, ...]],
    seed: int | str,
) -> dict[str, tuple[str, ...]]:
    """Who stands behind each name."""
    cast = dict(groups) | {f"{NEW}{number}": (node,) for number, node in enumerate(spares, start=1)}
    names = [name for name in dict.fromkeys(name for beat in timeline for name in beat.names) if name not in cast]
    missing = [name for name in names if name.startswith(NEW)]
    if missing:
        raise PlanError(f"this needs {len(missing)} more nodes that are to come; give --spares {_highest(missing)}")
    if len(names) > len(nodes):
        raise PlanError(f"{', '.join(names)} are different nodes; there are {len(nodes)}")
    victims = Random(f"{seed}:timeline").sample(list(nodes), len(names))
    return cast | {name: (node,) for name, node in zip(names, victims, strict=True)}


def _highest(missing: Iterable[str]) -> int:
    return max(int(name.removeprefix(NEW)) for name in missing)


def _plan(
    beat: Beat, cast: Mapping[str, tuple[str, ...]], every: Sequence[str], nodes: Sequence[str], rng: Random
) -> Plan:
    """What the beat's fault does: its own idea, or the first one that hits exactly the victims."""
    named = tuple(node for name in beat.names for node in cast[name])
    comes = named[len(named) - spares_of(beat.fault) :] if spares_of(beat.fault) else ()
    victims = named[: len(named) - len(comes)]
    fault = load(beat.fault)
    if len(comes) < spares_of(beat.fault):
        raise PlanError(f"{beat.fault} at {beat.at_s:g} s names {len(comes)} of {spares_of(beat.fault)} nodes to come")
    plan = _hitting(beat.fault, victims, every, rng) if victims else fault.plan(nodes, rng)
    return replace(plan, spares=comes, how={**plan.how, **beat.how})


def _hitting(name: str, victims: tuple[str, ...], every: Sequence[str], rng: Random) -> Plan:
    """Draw until the fault hits these victims and nobody else, or cuts them off from all others."""
    fault, wanted = load(name), sorted(victims)
    for among in (victims, every):
        for _ in range(_ATTEMPTS):
            try:
                plan = fault.plan(among, rng)
            except PlanError:
                break  # it makes no sense for so few
            if sorted(plan.nodes) == wanted or (among is every and wanted in map(sorted, plan.sides)):
                return plan
            if among is victims:
                break
    raise PlanError(f"{name} cannot be made to hit exactly {', '.join(victims)}")
