"""The canary fails in every scenario at seed 1, in calm as under faults: whoever finds it valid has judged nothing."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.verdict import Answer
from harness.plugins import all_scenarios
from harness.scenarios import Scenario
from tests.bugs import canary
from tests.bugs.test_convictions import check_evidence, convicting, run

EVERY_SCENARIO = {name: scenario for family in all_scenarios().values() for name, scenario in family.items()}
SHORT: dict[str, Any] = {"time_limit_s": 4.0, "every_s": 2.0, "for_s": 1.0, "keys": 10}
SLOW = {"rate": 20.0, "concurrency": 4}
"""Where the faults have their times a run takes as long as they do, with less to do."""


@pytest.mark.parametrize("name", EVERY_SCENARIO)
def test_convicted_everywhere(name: str) -> None:
    """By the checker that it names, with evidence, and by the one for lost writes wherever that is asked."""
    history, judgement = run(name, 1, variant=canary.__name__, options=_short(EVERY_SCENARIO[name]))
    assert judgement.answer is Answer.INVALID
    asked = [name for name in (canary.CHECKER, "kept-writes") if any(name == v.checker for v in judgement.verdicts)]
    assert canary.CHECKER in asked
    for checker in asked:
        findings = convicting(judgement, checker)
        assert findings, checker
        check_evidence(history, findings[0])


def test_it_is_the_canary_that_fails() -> None:
    """The same run without it is valid, so what is convicted is the node and not the run."""
    _, judgement = run(canary.SCENARIO, 1, variant=None, options=SHORT)
    assert judgement.answer is Answer.VALID


def _short(scenario: Scenario) -> dict[str, Any]:
    return SHORT | SLOW | {"time_limit_s": scenario.lasts_s} if scenario.timeline else SHORT
