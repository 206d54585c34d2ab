"""Explore: run the seeds that are wanted and not known yet, check some of them twice, and keep everything.

This file knows which seeds to run, in which order, and what makes an exploration whole. Where they are run is the
workers' business, and what they show the checkers'.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from checkers.verdict import Answer, worst
from harness.explore.journal import Answers, Journal
from harness.explore.seeds import Asked, Question, SeedResult, trace_of
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
    if slash and text.isascii() and part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts):
        return int(part), int(parts)
    raise UsageError(f"--shard {text}: give i/n, such as 1/4, with i from 1 to n")


@dataclass
class Exploration:
    """What was found out: `results` by seed, those of them that are `new`, and why it ended early, if it did."""

    wanted: Wanted
    tally: Tally
    results: dict[int, SeedResult] = field(default_factory=dict)
    new: list[int] = field(default_factory=list)
    ended: str | None = None

    @property
    def missing(self) -> list[int]:
        """The seeds that are wanted and not known."""
        return [seed for seed in self.wanted.seeds() if seed not in self.results]

    @property
    def answer(self) -> Answer:
        """The worst of all; unknown when seeds are missing, or a fault never took effect in all of them together."""
        return summed_up(self.results, self.tally, missing=bool(self.missing))

    @property
    def bad(self) -> list[SeedResult]:
        """What was not valid, by seed."""
        return [result for _, result in sorted(self.results.items()) if result.answer is not Answer.VALID]


def summed_up(results: Mapping[int, SeedResult], tally: Tally, *, missing: bool) -> Answer:
    """One answer for many seeds."""
    doubt = [Answer.UNKNOWN] if missing or tally.toothless else []
    answers = [*(result.answer for result in results.values()), *doubt]
    return worst(answers) if answers else Answer.VALID


def begin(journal: Journal, wanted: Wanted) -> Exploration:
    """An exploration with what is known already: its own seeds, and those that were bad before."""
    journal.ask(wanted.first, wanted.count, wanted.shard, wanted.shards)
    exploration = Exploration(wanted, Tally(len(wanted)))
    ours = dict.fromkeys([*wanted.seeds(), *_bad_before(journal, wanted)])
    exploration.results = {seed: result for seed, result in sorted(journal.results().items()) if seed in ours}
    for result in exploration.results.values():
        exploration.tally.take(result, now=False)
    repeated = journal.repeated()
    exploration.tally.again = len(repeated)
    exploration.tally.differed = [told for told in repeated.values() if told is not None]
    return exploration


def _bad_before(journal: Journal, wanted: Wanted) -> list[int]:
    """Those of the bad seeds that this shard is for."""
    return [seed for seed in journal.bad_seeds() if (seed - wanted.first) % wanted.shards == wanted.shard - 1]


def explore(
    asked: Asked, exploration: Exploration, journal: Journal, workers: Workers, budget_s: float | None = None
) -> None:
    """Run what is not known yet. Every result is in the journal before it counts, so nothing is lost by a kill.

    Bad seeds of earlier explorations come first. After `budget_s` of real time nothing new is handed out.
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
    repeats = _Repeats(asked, exploration, journal, workers)
    for result in exploration.results.values():
        repeats.take(result)
    for results in workers.run(_chunks([seed for seed in order if seed not in exploration.results], in_time)):
        journal.add(results)
        for result in results:
            exploration.results[result.seed] = result
            exploration.new.append(result.seed)
            tally.take(result)
            repeats.take(result)
        repeats.compare(wait=False)
        in_time()
    repeats.compare(wait=True)
    tally.took_s = time.monotonic() - began


BLOCK = round(1 / AGAIN_SHARE)


def is_run_again(seed: int, wanted: Wanted) -> bool:
    """Whether a seed is one of those that are run twice: one of each twenty, and of fewer the first."""
    if wanted.count < BLOCK:
        return seed == wanted.first + wanted.shard - 1
    return seed % BLOCK == Random(f"again:{seed // BLOCK}").randrange(BLOCK)


class _Repeats:
    """The seeds that are run again while others are run for the first time."""

    def __init__(self, asked: Asked, exploration: Exploration, journal: Journal, workers: Workers) -> None:
        self._asked = asked
        self._exploration = exploration
        self._journal = journal
        self._workers = workers
        self._known = journal.repeated()
        self._under_way: list[tuple[SeedResult, Future[SeedResult]]] = []

    def take(self, result: SeedResult) -> None:
        """Run a seed again, if it is one of those that are, and was not yet."""
        if is_run_again(result.seed, self._exploration.wanted) and result.seed not in self._known:
            self._under_way.append((result, self._workers.again(result.seed)))

    def compare(self, *, wait: bool) -> None:
        """Note down what came of those that are done, or of all of them."""
        done = [pair for pair in self._under_way if wait or pair[1].done()]
        self._under_way = [pair for pair in self._under_way if pair not in done]
        for result, again in done:
            differed = _difference(self._workers, self._asked, result, again.result())
            self._journal.add_repeated(result.seed, differed)
            self._exploration.tally.again += 1
            self._exploration.tally.differed += [] if differed is None else [differed]


def _chunks(seeds: Sequence[int], in_time: Callable[[], bool]) -> Iterator[Chunk]:
    rest = iter(seeds)
    while in_time() and (chunk := tuple(islice(rest, CHUNK))):
        yield chunk


def _difference(workers: Workers, asked: Asked, one: SeedResult, two: SeedResult) -> str | None:
    """Say how a seed did not repeat itself, with the first event in which it did not."""
    if one.showed == two.showed:
        return None
    elsewhere, here = workers.trace(one.seed).result(), trace_of(asked, one.seed)
    return (
        f"seed {one.seed} did not repeat itself in another process: digest {one.digest} with {one.events} events, "
        f"then {two.digest} with {two.events}; {first_divergence(here, elsewhere) or 'its traces agree now'}"
    )


def merged(parts: Sequence[tuple[str, Answers]]) -> tuple[dict[int, SeedResult], list[int]]:
    """The results of all shards as one, and the wanted seeds that none of them has run.

    Raises `UsageError` when two parts answer different questions, or do not agree on a seed that both have run.
    """
    found: dict[int, tuple[str, SeedResult]] = {}
    asked: tuple[str, Question] | None = None
    ranges: dict[tuple[int, int], None] = {}
    for name, (questions, results) in parts:
        for question in questions:
            asked = asked or (name, question)
            _same_question(asked, (name, question))
            ranges[question.first, question.count] = None
        for result in results:
            other, known = found.setdefault(result.seed, (name, result))
            if known.showed != result.showed:
                raise UsageError(
                    f"seed {result.seed} is {known.answer.value} ({known.digest}) in {other} and "
                    f"{result.answer.value} ({result.digest}) in {name}: they did not run the same"
                )
    wanted = dict.fromkeys(seed for first, count in ranges for seed in range(first, first + count))
    results_by_seed = {seed: result for seed, (_, result) in sorted(found.items())}
    return results_by_seed, [seed for seed in wanted if seed not in found]


def _same_question(one: tuple[str, Question], two: tuple[str, Question]) -> None:
    (name, asked), (other, question) = one, two
    if (asked.asked, asked.code) != (question.asked, question.code):
        raise UsageError(
            f"{name} explored {asked.asked.scenario} {asked.asked.options} ({asked.code}), and {other} "
            f"{question.asked.scenario} {question.asked.options} ({question.code}): merge answers to one question"
        )
