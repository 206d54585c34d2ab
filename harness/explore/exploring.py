"""Explore: run the seeds that are wanted and not known yet, check some of them twice, and keep everything.

This file knows which seeds to run, in which order, and what makes an exploration whole. Where they are run is the
workers' business, and what they show the checkers'.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from checkers.verdict import Answer, worst
from harness.explore.journal import Journal
from harness.explore.seeds import Asked, SeedResult, trace_of
from harness.explore.workers import Chunk, Workers
from harness.sim.trace import first_divergence
from harness.spec import UsageError
from reports.exploration import Tally

CHUNK = 4
AGAIN_SHARE = 0.05
"""How many of all seeds are run a second time, in another process under another hash seed."""


@dataclass(frozen=True)
class Wanted:
    """The seeds to explore: `count` from `first` on, or the `shard`-th part of them of `shards`."""

    first: int
    count: int
    shard: int = 1
    shards: int = 1

    def seeds(self) -> Iterator[int]:
        """These seeds, in order."""
        return iter(range(self.first + self.shard - 1, self.first + self.count, self.shards))

    def __len__(self) -> int:
        """How many there are."""
        return len(range(self.first + self.shard - 1, self.first + self.count, self.shards))


def parse_shard(text: str) -> tuple[int, int]:
    """Read `i/n`; raises `UsageError` for anything else."""
    part, slash, parts = text.partition("/")
    if slash and part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise UsageError(f"--shard {text}: give i/n, such as 1/4, with i from 1 to n")


@dataclass
class Exploration:
    """What was found out: `results` by seed, what did not repeat itself, and whether it came to its end."""

    wanted: Wanted
    tally: Tally
    results: dict[int, SeedResult] = field(default_factory=dict)
    ended: str | None = None

    @property
    def answer(self) -> Answer:
        """The worst of all; unknown when seeds are missing, or a fault never took effect in all of them together."""
        missing = any(seed not in self.results for seed in self.wanted.seeds())
        doubt = [Answer.UNKNOWN] if missing or self.tally.toothless else []
        return worst([*(result.answer for result in self.results.values()), *doubt])

    @property
    def bad(self) -> list[SeedResult]:
        """What was not valid, by seed."""
        return [result for _, result in sorted(self.results.items()) if result.answer is not Answer.VALID]


def begin(journal: Journal, wanted: Wanted) -> Exploration:
    """An exploration with what is known already: its own seeds, and those that were bad before."""
    exploration = Exploration(wanted, Tally(len(wanted)))
    ours = dict.fromkeys([*wanted.seeds(), *_bad_before(journal, wanted)])
    exploration.results = {seed: result for seed, result in sorted(journal.results().items()) if seed in ours}
    for result in exploration.results.values():
        exploration.tally.take(result, now=False)
    return exploration


def _bad_before(journal: Journal, wanted: Wanted) -> list[int]:
    """Those of the bad seeds that this shard is for."""
    return [seed for seed in journal.bad_seeds() if (seed - wanted.first) % wanted.shards == wanted.shard - 1]


def explore(
    asked: Asked, exploration: Exploration, journal: Journal, workers: Workers, budget_s: float | None = None
) -> None:
    """Run what is not known yet. Every result is in the journal before it counts, so nothing is lost by a kill.

    Bad seeds of earlier explorations come first. After `budget_s` of real time nothing new is begun.
    """
    began = time.monotonic()
    tally = exploration.tally

    def in_time() -> bool:
        tally.took_s = time.monotonic() - began
        if budget_s is not None and tally.took_s > budget_s:
            exploration.ended = f"ended after {budget_s:g} s, as asked"
        return exploration.ended is None

    order = dict.fromkeys([*_bad_before(journal, exploration.wanted), *exploration.wanted.seeds()])
    tally.wanted = max(tally.wanted, len(order))
    new = [seed for seed in order if seed not in exploration.results]
    repeats: list[tuple[SeedResult, Future[SeedResult]]] = []
    for results in workers.run(_chunks(new, in_time)):
        journal.add(results)
        for result in results:
            exploration.results[result.seed] = result
            tally.take(result)
            if is_run_again(result.seed):
                repeats.append((result, workers.again(result.seed)))
        in_time()
    for result, repeated in repeats:
        tally.again += 1
        differed = _compare(workers, asked, result, repeated.result())
        tally.differed += [] if differed is None else [differed]
    tally.took_s = time.monotonic() - began


def is_run_again(seed: int) -> bool:
    """Whether a seed is one of those that are run twice."""
    return Random(f"again:{seed}").random() < AGAIN_SHARE


def _chunks(seeds: Sequence[int], in_time: Callable[[], bool]) -> Iterator[Chunk]:
    rest = iter(seeds)
    while in_time() and (chunk := tuple(islice(rest, CHUNK))):
        yield chunk


def _compare(workers: Workers, asked: Asked, one: SeedResult, two: SeedResult) -> str | None:
    """Say how a seed did not repeat itself, with the first event in which it did not."""
    if one.showed == two.showed:
        return None
    elsewhere, here = workers.trace(one.seed).result(), trace_of(asked, one.seed)
    return (
        f"seed {one.seed} did not repeat itself in another process: digest {one.digest} with {one.events} events, "
        f"then {two.digest} with {two.events}; {first_divergence(here, elsewhere) or 'its traces agree now'}"
    )


def merged(parts: Iterable[tuple[str, Iterable[SeedResult]]]) -> dict[int, SeedResult]:
    """The results of all shards as one; raises `UsageError` when two that ran the same seed do not agree."""
    found: dict[int, tuple[str, SeedResult]] = {}
    for name, results in parts:
        for result in results:
            other, known = found.setdefault(result.seed, (name, result))
            if known.showed != result.showed:
                raise UsageError(
                    f"seed {result.seed} is {known.answer.value} ({known.digest}) in {other} and "
                    f"{result.answer.value} ({result.digest}) in {name}: the shards ran different code"
                )
    return {seed: result for seed, (_, result) in sorted(found.items())}
