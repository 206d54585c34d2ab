"""Try cases: does this one still show the anomaly? Side by side, each only once, and within a budget.

A case is tried under several message seeds, one after the other: leaving something out moves every delay that is drawn
after it, and what failed before may then pass by chance. The first under which it fails becomes the case's own.

This file knows runs and processes. It does not know how a case was made smaller.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from harness.explore.seeds import kinds_of
from harness.explore.workers import begin_worker, submit
from harness.runs import judged, simulate
from harness.shrink.case import Case
from harness.story import Plot

MESSAGE_SEEDS = 3
"""Under how many message seeds a smaller case is tried."""


def kinds_in(case: Case) -> dict[str, int]:
    """What a case shows, in this process."""
    plot = Plot(case.spec, case.schedule, case.script)
    return kinds_of(judged(plot, simulate(plot).history))


def failing(case: Case, kind: str, message_seeds: Sequence[int]) -> Case | None:
    """The case under the first of its own and these message seeds that shows an anomaly of this kind."""
    own = case.spec.world_seed
    for seed in dict.fromkeys([own, *message_seeds]):
        tried = replace(case, spec=replace(case.spec, message_seed=seed))
        if kind in kinds_in(tried):
            return tried
    return None


class OutOfBudgetError(Exception):
    """The time for trying is over."""


class Trials:
    """A pool that tries cases for one kind of anomaly; `tried` counts them."""

    def __init__(self, pool: ProcessPoolExecutor, jobs: int, kind: str, budget_s: float) -> None:
        self.tried = 0
        self._pool = pool
        self._jobs = jobs
        self._kind = kind
        self._ends = time.monotonic() + budget_s
        self._known: dict[bytes, Case | None] = {}

    def first(
        self, cases: Sequence[Case], message_seeds: Sequence[int] = range(1, MESSAGE_SEEDS)
    ) -> tuple[int, Case] | None:
        """The place of the first of these cases that fails, and the case with the message seed under which it does.

        Raises `OutOfBudgetError` when there is no time to find out.
        """
        for start in range(0, len(cases), self._jobs):
            group = cases[start : start + self._jobs]
            for place, case in enumerate(self._all(group, message_seeds), start=start):
                if case is not None:
                    return place, case
        return None

    def failures(self, case: Case, message_seeds: Sequence[int]) -> int:
        """Under how many of these message seeds a case fails."""
        cases = [replace(case, spec=replace(case.spec, message_seed=seed)) for seed in message_seeds]
        return sum(tried is not None for tried in self._all(cases, ()))

    def _all(self, cases: Sequence[Case], message_seeds: Sequence[int]) -> list[Case | None]:
        """What became of each case, all of them at once."""
        if time.monotonic() > self._ends:
            raise OutOfBudgetError
        names = [msgspec.json.encode((case, list(message_seeds))) for case in cases]
        new = {name: case for name, case in zip(names, cases, strict=True) if name not in self._known}
        self.tried += len(new)
        futures = {
            name: submit(self._pool, failing, case, self._kind, list(message_seeds)) for name, case in new.items()
        }
        self._known.update({name: future.result() for name, future in futures.items()})
        return [self._known[name] for name in names]


@contextmanager
def trials(jobs: int, kind: str, budget_s: float) -> Iterator[Trials]:
    """A pool of processes for trying."""
    with ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=begin_worker, initargs=(None, sys.path)
    ) as pool:
        try:
            yield Trials(pool, jobs, kind, budget_s)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
