"""A run as data, all of it: spec, faults and operations; and the same with something left out.

Leaving out an operation touches those that carry its context. Such a write is re-pointed to what its client last did
before on the key, if that is still there, and otherwise left out too: a write that has seen nothing is another write.
That it may be made a blind one is tried apart. This file knows what a smaller case is. It does not know whether it
fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace

from harness.contracts import Step
from harness.script import Script, Timed
from harness.spec import RunSpec
from nemesis.powers import Plan
from nemesis.schedule import Injection, Schedule


class Case(msgspec.Struct, frozen=True):
    """Everything that determines a run."""

    spec: RunSpec
    schedule: Schedule
    script: Script

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every operation, in order."""
        return (*self.script.load, *(timed.step for timed in self.script.steps))

    @property
    def operations(self) -> tuple[str, ...]:
        """The name of every operation, in order."""
        return tuple(step.op for step in self.steps)


def with_faults(case: Case, kept: Sequence[Injection]) -> Case:
    """The case with these faults only."""
    names = dict.fromkeys(injection.name for injection in kept)
    return replace(case, schedule=tuple(kept), spec=replace(case.spec, faults=tuple(names)))


def with_operations(case: Case, kept: Collection[str]) -> Case:
    """The case with these operations only, and without those that cannot do without another that is left out."""
    chosen, steps = set(kept), dict[str, Step]()
    for step in case.steps:
        if step.op in chosen:
            pointed = _pointed(step, steps)
            if pointed is not None:
                steps[step.op] = pointed
    load = tuple(steps[step.op] for step in case.script.load if step.op in steps)
    timed = (Timed(each.at_ns, steps[each.step.op]) for each in case.script.steps if each.step.op in steps)
    return replace(case, script=replace(case.script, load=load, steps=tuple(timed)))


def _pointed(step: Step, before: dict[str, Step]) -> Step | None:
    """The step as it can be carried out after these, or None."""
    if step.context_of is None or step.context_of in before:
        return step
    same = [other for other in before.values() if (other.client, other.key) == (step.client, step.key)]
    if step.edit is not None:
        same = [other for other in same if other.f == "get"]
    return replace(step, context_of=same[-1].op) if same else None


def with_keys(case: Case, kept: Collection[str]) -> Case:
    """The case on these keys only."""
    return with_operations(case, [step.op for step in case.steps if step.key in kept])


def with_clients(case: Case, kept: Collection[str]) -> Case:
    """The case with these clients only; what is loaded stays."""
    loaded = [step.op for step in case.script.load]
    return with_operations(case, [*loaded, *(step.op for step in case.steps if step.client in kept)])


def with_settings(case: Case, kept: Sequence[tuple[str, int]]) -> Case:
    """The case with these constants of the system changed only."""
    return replace(case, spec=replace(case.spec, settings=dict(kept)))


NEAR_NS = 500_000_000
"""How far from an operation of the anomaly another one may matter, at a guess."""


def around(case: Case, operations: Collection[str]) -> set[str]:
    """The operations that came up near one of these; what is loaded is as near as they."""
    times = [timed.at_ns for timed in case.script.steps if timed.step.op in operations]
    near = {timed.step.op for timed in case.script.steps if any(abs(timed.at_ns - at) <= NEAR_NS for at in times)}
    return near | {step.op for step in case.script.load if near or step.op in operations}


def blind(case: Case, op: str) -> Case:
    """The case in which this write carries no context."""
    return _with_step(case, op, lambda step: replace(step, context_of=None))


def _with_step(case: Case, op: str, change: object) -> Case:
    assert callable(change)
    steps = tuple(
        Timed(timed.at_ns, change(timed.step) if timed.step.op == op else timed.step) for timed in case.script.steps
    )
    return replace(case, script=replace(case.script, steps=steps))


def with_fewer_nodes(case: Case) -> Case | None:
    """The case without its last node; what went there goes to another. None where that makes no sense."""
    spec = case.spec
    if spec.nodes <= max(spec.n, 1) or spec.spares:  # without spares, whose names would be others
        return None
    gone, nodes = spec.node_ids[-1], spec.node_ids[:-1]
    stand_in = {step.op: nodes[place % len(nodes)] for place, step in enumerate(case.steps)}

    def moved(step: Step) -> Step:
        return replace(step, node=stand_in[step.op]) if step.node == gone else step

    plans = [_without_node(injection.plan, gone) for injection in case.schedule]
    if None in plans:
        return None
    schedule = tuple(
        replace(injection, plan=plan) for injection, plan in zip(case.schedule, plans, strict=True) if plan is not None
    )
    load = tuple(moved(step) for step in case.script.load)
    timed = tuple(Timed(each.at_ns, moved(each.step)) for each in case.script.steps)
    return Case(replace(spec, nodes=spec.nodes - 1), schedule, replace(case.script, load=load, steps=timed))


def _without_node(plan: Plan, gone: str) -> Plan | None:
    """A plan in which that node has no part; None when nothing would be left to do."""
    smaller = Plan(
        links=tuple(link for link in plan.links if gone not in link),
        nodes=tuple(node for node in plan.nodes if node != gone),
        sides=tuple(tuple(node for node in side if node != gone) for side in plan.sides),
        paths=tuple(link for link in plan.paths if gone not in link),
        how=plan.how,
        spares=plan.spares,
    )
    lost = any(bool(getattr(plan, part)) and not getattr(smaller, part) for part in ("links", "nodes", "paths"))
    return None if lost or not all(smaller.sides) else smaller


def shortened(case: Case, number: int) -> Case:
    """The case in which one fault lasts half as long."""
    injection = case.schedule[number]
    half = replace(injection, for_ns=max(1, injection.for_ns // 2))
    return with_faults(case, [*case.schedule[:number], half, *case.schedule[number + 1 :]])


SLACK_NS = 500_000_000


def trimmed(case: Case) -> Case:
    """The case that ends soon after its last operation or fault."""
    ends = [*(timed.at_ns for timed in case.script.steps), *(injection.until_ns for injection in case.schedule)]
    limit_s = max(1.0, round((max(ends, default=0) + SLACK_NS) / 1e9, 1))
    spec = replace(case.spec, time_limit_s=min(case.spec.time_limit_s, limit_s))
    return replace(case, spec=replace(spec, keys=max(1, len(case.script.keys)), concurrency=_clients(case)))


def _clients(case: Case) -> int:
    return max(1, len(case.script.clients))


def earlier(case: Case, cut_ns: int, by_ns: int) -> Case:
    """The case in which everything from `cut_ns` on happens sooner."""

    def moved(at_ns: int) -> int:
        return at_ns - by_ns if at_ns >= cut_ns else at_ns

    steps = tuple(Timed(moved(each.at_ns), each.step) for each in case.script.steps)
    schedule = tuple(
        replace(
            injection,
            at_ns=moved(injection.at_ns),
            for_ns=max(1, moved(injection.until_ns) - moved(injection.at_ns)),
        )
        for injection in case.schedule
    )
    return Case(case.spec, schedule, replace(case.script, steps=steps))


def gaps(case: Case) -> list[tuple[int, int]]:
    """Where nothing begins or ends for longer than half a second: from when, and for how long, the longest first."""
    times = sorted(
        {
            0,
            *(timed.at_ns for timed in case.script.steps),
            *(injection.at_ns for injection in case.schedule),
            *(injection.until_ns for injection in case.schedule),
        }
    )
    found = [(end, end - begin) for begin, end in itertools.pairwise(times) if end - begin > SLACK_NS]
    return sorted(found, key=lambda gap: -gap[1])


def told_changes(before: Case, after: Case) -> list[str]:
    """Say which writes carry another context than they did, in a line each."""
    old, told = {step.op: step for step in before.steps}, []
    for step in after.steps:
        was = old[step.op].context_of
        if step.context_of != was:
            now = f"that of {step.context_of}" if step.context_of else "no context"
            told.append(f"{step.op} carried the context of {was}; now it carries {now}")
    return told
