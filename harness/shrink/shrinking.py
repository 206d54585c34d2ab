"""Shrink a case, one thing after the other, as long as it shows the same kind of anomaly.

First what costs most: other keys than the anomaly's, clients, faults; then single operations; then what is left is made
plain: fewer nodes, default parameters, shorter faults, no idle time. All of it again until nothing helps any more. This
file knows the order. What a smaller case is, and whether one fails, is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any, TypeVar

from msgspec.structs import replace

from harness.shrink import case as smaller
from harness.shrink.case import Case
from harness.shrink.ddmin import ddmin
from harness.shrink.trials import OutOfBudgetError, Trials
from harness.spec import RunSpec

T = TypeVar("T")

Told = Callable[[str, Case], None]
"""Told what was made smaller, and the case that is left."""

PLAIN = ("on_cut", "latency_us", "latency_sigma", "open_loop", "engine")
"""Parameters that are set to their defaults where the anomaly allows it."""


def shrink(case: Case, key: str | None, operations: Sequence[str], trials: Trials, told: Told) -> tuple[Case, bool]:
    """The smallest case that was found, and whether it is one that nothing can be left out of.

    `key` and `operations` are those that the anomaly is about, if it is about some. The case must fail.
    """
    shrinking = _Shrinking(case, trials, told)
    try:
        shrinking.take("at a guess", list(_guesses(case, key, operations)))
        while shrinking.round():
            pass
    except (OutOfBudgetError, KeyboardInterrupt):
        trials.give_up()
        return shrinking.case, False
    return shrinking.case, True


class _Shrinking:
    """The case as it is at present."""

    def __init__(self, case: Case, trials: Trials, told: Told) -> None:
        self.case = case
        self._trials = trials
        self._told = told

    def round(self) -> bool:
        """Try everything once; whether anything has helped."""
        before = self.case
        self._list("faults", self.case.schedule, smaller.with_faults)
        self._list("keys", self.case.script.keys, smaller.with_keys)
        self._list("clients", self.case.script.clients, smaller.with_clients)
        self._list("operations", self.case.operations, smaller.with_operations)
        self._each("operations", _without_pairs)
        self._list("settings", tuple(self.case.spec.settings.items()), smaller.with_settings)
        self._each("contexts", _blinded)
        self._each("nodes", _with_fewer_nodes)
        self._each("parameters", _plainer)
        self._each("faults, shorter", _with_shorter_faults)
        self._each("idle time", _without_gaps)
        self.take("duration", [smaller.trimmed(self.case)])
        return self.case != before

    def _list(self, what: str, items: Sequence[T], rebuilt: Callable[[Case, Any], Case]) -> None:
        """Leave out all items of a list that can be."""
        whole = self.case

        def first_failing(candidates: list[tuple[T, ...]]) -> int | None:
            nonlocal whole
            found = self._trials.first([rebuilt(whole, candidate) for candidate in candidates])
            if found is None:
                return None
            place, case = found
            whole = replace(whole, spec=replace(whole.spec, message_seed=case.spec.message_seed))
            self._accept(what, case)
            return place

        ddmin(items, first_failing)

    def _each(self, what: str, candidates: Callable[[Case], Iterator[Case]]) -> None:
        """Take what makes the case plainer, until nothing does."""
        while self.take(what, list(candidates(self.case))):
            pass

    def take(self, what: str, cases: Sequence[Case]) -> bool:
        """Take the first of these that fails, if it is another case than the one there is."""
        new = [case for case in cases if case != self.case]
        found = self._trials.first(new) if new else None
        if found is None:
            return False
        self._accept(what, found[1])
        return True

    def _accept(self, what: str, case: Case) -> None:
        self.case = case
        self._told(what, case)


def _guesses(case: Case, key: str | None, operations: Sequence[str]) -> Iterator[Case]:
    """Much smaller cases that may well fail: only the anomaly's key, only what happened around it, or before it."""
    near = smaller.around(case, operations)
    same = {step.op for step in case.steps if step.key == key}
    if key is not None:
        yield smaller.with_operations(case, same & near)
        yield smaller.with_operations(case, same)
        yield smaller.with_operations(case, same | near)
    if near:
        yield smaller.with_operations(case, near)


PAIRS_MAX = 24


def _without_pairs(case: Case) -> Iterator[Case]:
    """A small case without two of its operations: one alone may be what holds the other in place."""
    if len(case.operations) <= PAIRS_MAX:
        for pair in combinations(case.operations, 2):
            yield smaller.with_operations(case, [op for op in case.operations if op not in pair])


def _blinded(case: Case) -> Iterator[Case]:
    return (smaller.blind(case, step.op) for step in case.steps if step.context_of is not None and step.edit is None)


def _with_fewer_nodes(case: Case) -> Iterator[Case]:
    fewer = smaller.with_fewer_nodes(case)
    if fewer is not None:
        yield fewer


def _plainer(case: Case) -> Iterator[Case]:
    """The case with one parameter as it is by default."""
    spec = case.spec
    plain = RunSpec(scenario=spec.scenario, world=spec.world, seed=spec.seed)
    for name in PLAIN:
        if getattr(spec, name) != getattr(plain, name):
            yield replace(case, spec=replace(spec, **{name: getattr(plain, name)}))


def _with_shorter_faults(case: Case) -> Iterator[Case]:
    for number, injection in enumerate(case.schedule):
        if injection.for_ns > smaller.SLACK_NS:
            yield smaller.shortened(case, number)


def _without_gaps(case: Case) -> Iterator[Case]:
    """The case with one idle time shortened to a fifth of a second."""
    for at_ns, long_ns in smaller.gaps(case):
        yield smaller.earlier(case, at_ns, long_ns - 200_000_000)
