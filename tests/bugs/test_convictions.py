"""Every planted bug is convicted, with evidence; the same runs without it are valid, and so is the bug without
faults.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from checkers.history import read
from checkers.verdict import Answer, Finding
from harness.directory import HISTORY
from harness.plugins import find_scenarios
from harness.runs import Finished, carry_out
from harness.spec import RunSpec
from tests import bugs

CALM_SEEDS = range(1, 21)


def _bugs() -> list[ModuleType]:
    names = (module.name for module in pkgutil.iter_modules(bugs.__path__) if not module.name.startswith("test_"))
    return [importlib.import_module(f"{bugs.__name__}.{name}") for name in names]


EVERY_BUG = pytest.mark.parametrize("bug", _bugs(), ids=lambda bug: bug.__name__.rpartition(".")[2])


def _run(directory: Path, scenario: str, seed: int, *, variant: str | None, **options: Any) -> Finished:
    found = find_scenarios(scenario)[scenario]
    spec = RunSpec(scenario=scenario, world="sim", seed=seed, faults=found.faults, variant=variant, **options).checked()
    directory.mkdir()
    return carry_out(spec, directory, f"keelhaul run {scenario} --world sim --seed {seed}")


def _convicting(finished: Finished, checker: str) -> tuple[Finding, ...]:
    verdict = next(verdict for verdict in finished.judgement.verdicts if verdict.checker == checker)
    return verdict.findings if verdict.answer is Answer.INVALID else ()


@EVERY_BUG
def test_convicted(bug: ModuleType, tmp_path: Path) -> None:
    """Its checker convicts it within the stated number of seeds; each seed before and at that one is valid without
    it.
    """
    for seed in range(1, bug.SEEDS + 1):
        clean = _run(tmp_path / f"clean-{seed}", bug.SCENARIO, seed, variant=None, **bug.OPTIONS)
        assert clean.judgement.answer is Answer.VALID
        guilty = _run(tmp_path / f"bug-{seed}", bug.SCENARIO, seed, variant=bug.__name__, **bug.OPTIONS)
        findings = _convicting(guilty, bug.CHECKER)
        if findings:
            _check_evidence(guilty, findings[0])
            return
    pytest.fail(f"{bug.__name__} was not convicted by {bug.CHECKER} in {bug.SEEDS} seeds of {bug.SCENARIO}")


def _check_evidence(finished: Finished, finding: Finding) -> None:
    """The evidence names the key, and the operation or the nodes concerned, which are those of the run."""
    history = read(finished.directory / HISTORY)
    told = "\n".join((finding.summary, *finding.evidence))
    assert finding.key is not None
    assert finding.key in told
    assert finding.operations or finding.nodes
    assert all(op in history.operation and op in told for op in finding.operations)
    assert all(node in history.run.nodes and node in told for node in finding.nodes)


@EVERY_BUG
def test_valid_without_faults(bug: ModuleType, tmp_path: Path) -> None:
    """With faults off the bug goes unnoticed for 20 seeds: it takes a fault to show it, and no checker cries wolf."""
    options = {"time_limit_s": 3.0, "rate": 50.0, "keys": 10, **bug.CALM}
    for seed in CALM_SEEDS:
        finished = _run(tmp_path / str(seed), "calm", seed, variant=bug.__name__, **options)
        assert finished.judgement.answer is Answer.VALID, finished.judgement.verdicts
