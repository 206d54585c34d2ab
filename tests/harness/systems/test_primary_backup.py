"""The second system: its flaw is convicted, without the flaw it is acquitted, and nobody is convicted in calm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from checkers.history import History, Outcome
from checkers.judge import Judgement
from checkers.verdict import Answer, Verdict
from harness import plugins
from harness.runs import judged, schedule_of, simulate
from harness.spec import RunSpec, UsageError
from harness.story import Plot
from harness.strategies import fault_schedules
from harness.systems.primary_backup import settings_of
from nemesis.schedule import Schedule

ROOT = Path(__file__).parents[3]

CUTS = ("partition-halves", "partition-isolate")
BOTH = pytest.mark.parametrize("fencing", [0, 1])


def spec_of(scenario: str, seed: int, fencing: int, **options: Any) -> RunSpec:
    """A run of that scenario on this system."""
    found = plugins.find_scenarios(scenario)[scenario]
    return RunSpec(
        scenario=scenario,
        world="sim",
        seed=seed,
        system="primary-backup",
        workload=found.workload,
        faults=found.faults,
        settings={"fencing": fencing},
        **options,
    ).checked()


def run(spec: RunSpec) -> tuple[History, Judgement]:
    """Simulate it, and judge it by what the system promises."""
    plot = Plot(spec, schedule_of(spec))
    history = simulate(plot).history
    return history, judged(plot, history)


def verdict_of(judgement: Judgement, checker: str) -> Verdict:
    """What one checker says."""
    return next(verdict for verdict in judgement.verdicts if verdict.checker == checker)


@pytest.mark.parametrize("scenario", CUTS)
def test_two_primaries_lose_what_one_of_them_acknowledged(scenario: str) -> None:
    """`kept-writes` convicts the flaw, with the cut in its evidence, and no other checker is needed for that."""
    for seed in range(1, 3):
        history, judgement = run(spec_of(scenario, seed, 0))
        kept = verdict_of(judgement, "kept-writes")
        assert kept.answer is Answer.INVALID
        assert {finding.kind for finding in kept.findings} == {"lost-write"}
        assert all(
            history.operation[op].outcome is Outcome.OK for finding in kept.findings for op in finding.operations[:1]
        )
        assert any(scenario in line for finding in kept.findings for line in finding.evidence)
        others = [verdict for verdict in judgement.verdicts if verdict is not kept]
        assert all(verdict.answer is Answer.VALID for verdict in others)


@pytest.mark.parametrize("scenario", CUTS)
def test_in_one_view_two_primaries_acknowledged_at_once(scenario: str) -> None:
    """The flaw is the one that is meant: during a cut, more than one node coordinates writes that are acknowledged."""
    for fencing, most in ((0, 2), (1, 1)):
        history, _ = run(spec_of(scenario, 1, fencing))
        started = next(fault.at for fault in history.faults if fault.event == "started") + 2_000_000_000
        healed = next(fault.at for fault in history.faults if fault.event == "healed")
        primaries = {
            operation.completed.coordinator
            for operation in history.operations
            if operation.completed is not None
            and operation.invoked.f == "put"
            and operation.outcome is Outcome.OK
            and started < operation.invoked.at < operation.completed.at < healed
        }
        assert len(primaries) == most


@pytest.mark.parametrize("scenario", [*CUTS, "partition-one-way", "partition-bridge", "crash-kill", "crash-partition"])
def test_with_a_majority_nothing_is_lost(scenario: str) -> None:
    """The same runs with fencing are valid: what was convicted is the flaw, and not the harness."""
    for seed in range(1, 3):
        _, judgement = run(spec_of(scenario, seed, 1))
        assert judgement.answer is Answer.VALID, judgement.verdicts


@pytest.mark.parametrize("fault", ["duplicate", "reorder", "loss", "pause"])
def test_with_a_majority_bad_links_and_frozen_nodes_cost_nothing(fault: str) -> None:
    """A request that is passed on and arrives twice, for one, is not refused for being in its own way."""
    _, judgement = run(replace(spec_of("calm", 1, 1), faults=(fault,)))
    assert judgement.answer is Answer.VALID, judgement.verdicts


@given(fault_schedules(nodes=("n1", "n2", "n3", "n4", "n5"), duration_s=8.0, max_faults=8))
@settings(max_examples=20, derandomize=True, database=None, deadline=None)
def test_with_a_majority_nothing_that_is_claimed_to_be_survived_convicts(schedule: Schedule) -> None:
    """Whatever faults come together: some runs prove nothing, and none is invalid."""
    plot = Plot(spec_of("calm", 1, 1, time_limit_s=8.0, rate=50.0, keys=10), schedule)
    judgement = judged(plot, simulate(plot).history)
    assert judgement.answer is not Answer.INVALID, judgement.verdicts


@BOTH
@pytest.mark.parametrize("scenario", ["calm", "cart-calm"])
def test_nobody_is_convicted_in_calm(scenario: str, fencing: int) -> None:
    """With the flaw and without it, all is well while the network is."""
    for seed in range(1, 3):
        _, judgement = run(spec_of(scenario, seed, fencing, time_limit_s=8.0))
        assert judgement.answer is Answer.VALID, judgement.verdicts


def test_it_is_judged_by_what_it_promises() -> None:
    """By all that the workload is checked for, but for what is Dynamo's: being always writable, quorums, and a ring."""
    _, judgement = run(spec_of("calm", 1, 0, time_limit_s=2.0))
    checked = plugins.workload("register").CHECKERS
    assert [verdict.checker for verdict in judgement.verdicts] == [
        name for name in checked if name not in ("writable", "found", "ring", "orders")
    ]


def test_whoever_has_not_seen_the_present_value_is_refused() -> None:
    """Blind and stale writes certainly have no effect, and a fresh one takes the place of what it has seen."""
    history, _ = run(spec_of("calm", 1, 0, time_limit_s=5.0))
    puts = [operation for operation in history.operations if operation.invoked.f == "put" and operation.completed]
    refused = [put for put in puts if put.outcome is Outcome.FAILED]
    blind = [put for put in puts if put.invoked.context_of is None and put.invoked.client != "load"]
    assert blind
    assert all(put in refused for put in blind)
    assert all(put.completed is not None and "conflict" in str(put.completed.error) for put in refused)
    gets = [operation for operation in history.operations if operation.invoked.f == "get"]
    assert all(len(get.versions) == 1 for get in gets if get.outcome is Outcome.OK)


@BOTH
def test_one_spec_is_one_digest_in_every_process(fencing: int) -> None:
    """Also with another hash seed."""
    spec = spec_of("crash-partition", 5, fencing, time_limit_s=6.0)
    here = simulate(Plot(spec, schedule_of(spec)))
    said = subprocess.run(
        [sys.executable, "-m", "tests.harness.traced", msgspec.json.encode([spec]).decode()],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "999"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    (elsewhere,) = json.loads(said.stdout)
    assert (elsewhere["digest"], elsewhere["events"]) == (here.digest, here.events)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"settings": {"fencing": 2}}, "--set fencing is 2; it can be 0 or 1"),
        ({"settings": {"hint_retry_ms": 1}}, "--set hint_retry_ms: that cannot be set; there is fencing"),
        ({"variant": "x.y"}, "--node-module x.y: only dynamo has nodes to replace; give --set fencing=0 or 1"),
    ],
)
def test_what_it_does_not_have_is_refused(options: dict[str, Any], says: str) -> None:
    """In one line, before any world is opened."""
    with pytest.raises(UsageError) as error:
        settings_of(RunSpec(scenario="test", world="sim", seed=1, system="primary-backup", **options))
    assert str(error.value) == says
