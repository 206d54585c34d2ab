"""What one seed of a scenario shows: it is run in memory, judged, and summed up in one line.

Everything in a result but its processor time is a function of the request and the code: two machines that run one seed
must agree on it to the last event. This file knows one seed. It does not know who asks for how many.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import msgspec

from checkers.episodes import episodes
from checkers.judge import Judgement
from checkers.verdict import Answer
from harness import plugins
from harness.asking import complete_spec
from harness.runs import Simulated, judged, schedule_of, simulate
from harness.spec import RunSpec, UsageError
from harness.story import Plot


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be explored: a scenario, and the options that were given for it; the seed comes later."""

    scenario: str
    options: dict[str, Any] = {}

    def spec(self, seed: int) -> RunSpec:
        """The spec of one seed; raises `UsageError` for a family, whose scenarios are explored one by one."""
        family = plugins.find_scenarios(self.scenario)
        if self.scenario not in family:
            raise UsageError(f"{self.scenario} is a family of scenarios; explore one of {', '.join(family)}")
        found = family[self.scenario]
        spec = complete_spec(self.scenario, found, **self.options, seed=seed)
        return msgspec.structs.replace(spec, world="sim")


class Question(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="question"):
    """What results are answers to: what was asked, of which code, over which seeds, and which part of them."""

    asked: Asked
    code: str
    first: int
    count: int
    shard: int
    shards: int


class SeedResult(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="seed"):
    """What one seed showed.

    `kinds` counts the findings of the verdicts that give the answer, as `checker/kind`; `struck` counts the faults
    that were injected, and `delivered` those that took effect. `cpu_s` is the processor time of building, running and
    judging, in seconds: the only number that another run of the seed need not repeat.
    """

    seed: int
    answer: Answer
    kinds: dict[str, int]
    digest: str
    events: int
    operations: int
    virtual_s: float
    struck: dict[str, int]
    delivered: dict[str, int]
    cpu_s: float

    @property
    def showed(self) -> tuple[Any, ...]:
        """All that must be the same whenever and wherever the seed is run."""
        return self.seed, self.answer, tuple(sorted(self.kinds.items())), self.digest, self.events


def run_seed(asked: Asked, seed: int) -> SeedResult:
    """Run one seed and judge it; raises `KeyboardInterrupt` when it was ended from outside."""
    began = time.process_time()
    spec = asked.spec(seed)
    plot = Plot(spec, schedule_of(spec))
    simulated = simulate(plot)
    if simulated.interrupted is not None:
        raise KeyboardInterrupt
    judgement = judged(plot, simulated.history)
    return _result(seed, simulated, judgement, time.process_time() - began)


def trace_of(asked: Asked, seed: int) -> list[str]:
    """Every event of one seed, to see where two runs of it part."""
    spec = asked.spec(seed)
    return simulate(Plot(spec, schedule_of(spec)), keep=True).trace or []


def _result(seed: int, simulated: Simulated, judgement: Judgement, cpu_s: float) -> SeedResult:
    history = simulated.history
    faults = episodes(history)
    struck = Counter(episode.name for episode in faults if episode.started_at is not None)
    delivered = Counter(episode.name for episode in faults if episode.delivered)
    return SeedResult(
        seed=seed,
        answer=judgement.answer,
        kinds=kinds_of(judgement),
        digest=simulated.digest,
        events=simulated.events,
        operations=len(history.operations),
        virtual_s=history.lasted_ns / 1e9,
        struck=dict(sorted(struck.items())),
        delivered=dict(sorted(delivered.items())),
        cpu_s=round(cpu_s, 4),
    )


def kinds_of(judgement: Judgement) -> dict[str, int]:
    """The findings behind an answer that is not valid, counted as `checker/kind`."""
    kinds: Counter[str] = Counter()
    for verdict in judgement.verdicts:
        if verdict.answer is judgement.answer is not Answer.VALID:
            kinds.update(f"{verdict.checker}/{finding.kind}" for finding in verdict.findings)
            if not verdict.findings:
                kinds[f"{verdict.checker}/-"] += 1
    return dict(sorted(kinds.items()))
