"""Every planted bug is convicted, with evidence; the same runs without it are valid, and so is the bug without
faults.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import pytest

from checkers.history import History
from checkers.judge import Judgement
from checkers.verdict import Answer, Finding
from harness.asking import complete_spec
from harness.plugins import find_scenarios
from harness.runs import judged, schedule_of, simulate
from harness.story import Plot
from tests import bugs

CALM_SEEDS = range(1, 21)
CALM_OF = {"register": "calm", "cart": "cart-calm"}
CALM = {"time_limit_s": 1.0, "rate": 40.0, "concurrency": 4, "keys": 4}

NAMED = 5
"""Evidence is cut where there is much of it; so many operations are always told."""

CANARY = f"{bugs.__name__}.canary"
"""The one bug that is not subtle: it is convicted everywhere, in `test_canary.py`."""


class Run(NamedTuple):
    """What happened, and what the checkers say of it."""

    history: History
    judgement: Judgement


def _bugs() -> list[ModuleType]:
    names = (module.name for module in pkgutil.iter_modules(bugs.__path__, f"{bugs.__name__}."))
    return [importlib.import_module(name) for name in names if name != CANARY and ".test_" not in name]


def name_of(bug: ModuleType) -> str:
    """A bug's name: its file's."""
    return bug.__name__.rpartition(".")[2]


BUGS = _bugs()
EVERY_BUG = pytest.mark.parametrize("bug", BUGS, ids=name_of)


def run(scenario: str, seed: int, *, variant: str | None, options: Mapping[str, Any]) -> Run:
    """One simulated run of a scenario, judged."""
    found = find_scenarios(scenario)[scenario]
    spec = complete_spec(scenario, found, world="sim", seed=seed, variant=variant, **options)
    plot = Plot(spec, schedule_of(spec))
    history = simulate(plot).history
    return Run(history, judged(plot, history))


@cache
def _answer_without_bug(scenario: str, seed: int, options: bytes) -> Answer:
    """What the shipped node gets; bugs share scenarios, so it is asked for more than once."""
    return run(scenario, seed, variant=None, options=msgspec.json.decode(options)).judgement.answer


def convicting(judgement: Judgement, checker: str) -> tuple[Finding, ...]:
    """What a checker found in a run that it calls invalid."""
    verdict = next(verdict for verdict in judgement.verdicts if verdict.checker == checker)
    return verdict.findings if verdict.answer is Answer.INVALID else ()


@EVERY_BUG
def test_convicted(bug: ModuleType) -> None:
    """Its checker convicts it within the stated number of seeds; each seed before and at that one is valid without
    it.
    """
    for seed in range(1, bug.SEEDS + 1):
        assert _answer_without_bug(bug.SCENARIO, seed, msgspec.json.encode(bug.OPTIONS)) is Answer.VALID
        history, judgement = run(bug.SCENARIO, seed, variant=bug.__name__, options=bug.OPTIONS)
        findings = convicting(judgement, bug.CHECKER)
        if findings:
            check_evidence(history, findings[0])
            return
    pytest.fail(f"{name_of(bug)} was not convicted by {bug.CHECKER} in {bug.SEEDS} seeds of {bug.SCENARIO}")


def check_evidence(history: History, finding: Finding) -> None:
    """The evidence names the key, if it is about one, and the operations or nodes concerned, which are the run's."""
    told = "\n".join((finding.summary, *finding.evidence))
    assert finding.key is None or finding.key in told
    assert finding.nodes or (finding.key is not None and finding.operations)
    assert all(op in history.operation for op in finding.operations)
    assert all(op in told for op in finding.operations[:NAMED])
    assert all(node in (*history.run.nodes, *history.run.spares) for node in finding.nodes)
    assert finding.operations or all(node in told for node in finding.nodes)


@EVERY_BUG
def test_valid_without_faults(bug: ModuleType) -> None:
    """With faults off the bug goes unnoticed for 20 seeds: it takes a fault to show it, and no checker cries wolf."""
    calm = CALM_OF[find_scenarios(bug.SCENARIO)[bug.SCENARIO].workload]
    for seed in CALM_SEEDS:
        _, judgement = run(calm, seed, variant=bug.__name__, options={**CALM, **bug.CALM})
        assert judgement.answer is Answer.VALID, judgement.verdicts
