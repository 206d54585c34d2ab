"""Try cases: does this one still show the anomaly? Side by side, each only once, and within a budget.

A case is tried under several message seeds, one after the other: leaving something out moves what depended on it, and
what failed before may then pass by chance. The first under which it fails becomes the case's own.

This file knows runs and processes. It does not know how a case was made smaller.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from harness.explore.seeds import kinds_of
from harness.explore.workers import submit, worker_pool
from harness.runs import judged, simulate
from harness.shrink.case import Case
from harness.story import Plot

MESSAGE_SEEDS = 3
MESSAGE_SEEDS_OF_SMALL, SMALL = 12, 40
"""Under how many message seeds a case is tried, and one with few operations, which is quick."""


def kinds_in(case: Case) -> dict[str, int]:
    """What a case shows, in this process."""
    plot = Plot(case.spec, case.schedule, case.script)
    simulated = simulate(plot)
    if simulated.interrupted is not None:
        raise KeyboardInterrupt
    return kinds_of(judged(plot, simulated.history))


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

    def give_up(self) -> None:
        """Try nothing more."""
        self._ends = 0.0

    def first(self, cases: Sequence[Case], message_seeds: Sequence[int] | None = None) -> tuple[int, Case] | None:
        """The place of the first of these cases that fails, and the case with the message seed under which it does.

        Raises `OutOfBudgetError` when there is no time to find out.
        """
        for start in range(0, len(cases), self._jobs):
            group = cases[start : start + self._jobs]
            seeds = _seeds_for(group[0]) if message_seeds is None else message_seeds
            for place, case in enumerate(self._all(group, seeds), start=start):
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
        names = [blake2b(msgspec.json.encode((case, list(message_seeds)))).digest() for case in cases]
        new = {name: case for name, case in zip(names, cases, strict=True) if name not in self._known}
        self.tried += len(new)
        futures = {
            name: submit(self._pool, failing, case, self._kind, list(message_seeds)) for name, case in new.items()
        }
        self._known.update({name: future.result() for name, future in futures.items()})
        return [self._known[name] for name in names]


def _seeds_for(case: Case) -> Sequence[int]:
    return range(1, MESSAGE_SEEDS_OF_SMALL if len(case.operations) <= SMALL else MESSAGE_SEEDS)


@contextmanager
def trials(jobs: int, kind: str, budget_s: float) -> Iterator[Trials]:
    """A pool of processes for trying."""
    with worker_pool(jobs) as pool:
        yield Trials(pool, jobs, kind, budget_s)
