"""The canary fails in every scenario at seed 1, in calm as under faults: whoever finds it valid has judged nothing."""

from __future__ import annotations

import pytest

from checkers.verdict import Answer
from harness.plugins import all_scenarios
from tests.bugs import canary
from tests.bugs.test_convictions import check_evidence, convicting, run

EVERY_SCENARIO = [name for family in all_scenarios().values() for name in family]
SHORT = {"time_limit_s": 4.0, "every_s": 2.0, "for_s": 1.0, "keys": 10}


@pytest.mark.parametrize("scenario", EVERY_SCENARIO)
def test_convicted_everywhere(scenario: str) -> None:
    """By the checker that it names, with evidence, and by the one for lost writes wherever that is asked."""
    history, judgement = run(scenario, 1, variant=canary.__name__, options=SHORT)
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
