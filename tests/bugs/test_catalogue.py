"""The catalogue of planted bugs: each says what is wrong and where it comes from, and no two are the same."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from checkers.judge import names as checker_names
from harness.plugins import find_scenarios
from node.core.node import Node
from tests.bugs import canary
from tests.bugs.test_convictions import BUGS, EVERY_BUG, name_of

TOLD = re.compile(r"Planted bug: [^.]+\. .*What is wrong: .+\. The idea is .*\bhazards? H\d\d")


@pytest.mark.parametrize("bug", [*BUGS, canary], ids=name_of)
def test_a_bug_tells_what_is_wrong_and_where_the_idea_is_from(bug: ModuleType) -> None:
    """The bug in one sentence, why it matters, and the hazard or issue that some real store had."""
    assert TOLD.match(" ".join((bug.__doc__ or "").split())), bug.__doc__


@EVERY_BUG
def test_a_bug_says_what_must_convict_it(bug: ModuleType) -> None:
    """A scenario and a checker that exist, a few seeds, and the unit tests that pin what it replaces."""
    assert bug.SCENARIO in find_scenarios(bug.SCENARIO)
    assert bug.CHECKER in checker_names()
    assert 1 <= bug.SEEDS <= 10
    assert bug.PINNED


def test_there_are_many_and_no_two_are_the_same() -> None:
    """Two bugs that replace the same methods and fail the same unit tests would be one."""
    alike: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for bug in BUGS:
        alike.setdefault((frozenset(_replaced(bug)), frozenset(bug.PINNED)), []).append(name_of(bug))
    assert [names for names in alike.values() if len(names) > 1] == []
    assert len(BUGS) >= 20


def _replaced(bug: ModuleType) -> list[str]:
    """The methods that a bug's node, and the parts that it puts in place of the shipped ones, define anew."""
    kinds = {kind for kind in vars(bug).values() if isinstance(kind, type) and kind.__module__ == bug.__name__}
    assert issubclass(bug.NODE, Node)
    assert bug.NODE is not Node
    return [f"{kind.__mro__[1].__name__}.{name}" for kind in kinds for name, it in vars(kind).items() if callable(it)]


def test_the_checkers_are_all_put_to_the_test() -> None:
    """Each checker that can say invalid has convicted some bug; vacuity never says it, and has tests of its own."""
    assert {bug.CHECKER for bug in BUGS} == {*checker_names()} - {"vacuity"}
