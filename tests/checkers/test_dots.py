"""A dot names one value, wherever it is seen."""

from __future__ import annotations

import pytest

from checkers.dots import check
from checkers.verdict import Answer
from tests.checkers.story import UNKNOWN, Story


def test_one_name_a_value_is_valid() -> None:
    """In the put's reply, in reads and on all replicas."""
    story = Story()
    story.put("a")
    story.get("a")
    assert check(story.everywhere("a").ended()).answer is Answer.VALID


@pytest.mark.parametrize("where", ["put", "get", "dump"])
def test_a_dot_with_two_values_is_reused(where: str) -> None:
    """It does not matter where the second value shows: the dot was minted twice."""
    story = Story()
    story.put("a", dot="n1.1")
    if where == "put":
        story.put("b", dot="n1.1")
    elif where == "get":
        story.get("n1.1=b")
    else:
        story.everywhere("n1.1=b")
    verdict = check(story.ended())
    assert [finding.kind for finding in verdict.findings] == ["reused-dot"]
    assert "n1.1" in verdict.findings[0].summary
    assert len(verdict.findings[0].evidence) == 2


def test_two_puts_with_one_dot_are_convicted_even_for_equal_values() -> None:
    """One of the two writes is lost, and nobody could tell by the value."""
    story = Story()
    first = story.put("a", dot="n1.1")
    second = story.put("a", dot="n1.1")
    verdict = check(story.ended())
    assert [finding.operations for finding in verdict.findings] == [(first, second)]


def test_the_same_dot_of_another_key_is_another_dot() -> None:
    """Dots are counted within their key."""
    story = Story()
    story.put("a", dot="n1.1", key="x")
    story.put("b", dot="n1.1", key="y")
    assert check(story.ended()).answer is Answer.VALID


def test_an_acknowledged_put_has_one_dot() -> None:
    """A put that was coordinated twice is its own sibling."""
    story = Story()
    story.put("a", dot="n1.1")
    verdict = check(story.everywhere("n2.1=a").ended())
    assert [finding.kind for finding in verdict.findings] == ["two-dots"]


def test_a_put_of_unknown_outcome_may_have_two_dots() -> None:
    """Whoever carried it may have tried again; nobody was promised that it happened once."""
    story = Story()
    story.put("a", outcome=UNKNOWN)
    story.get("n1.1=a", "n2.1=a")
    assert check(story.ended()).answer is Answer.VALID


def test_a_value_that_two_puts_wrote_has_two_dots_by_right() -> None:
    """Values need not be unique."""
    story = Story()
    story.put("a", dot="n1.1")
    story.put("a", dot="n1.2")
    assert check(story.everywhere("n1.2=a").ended()).answer is Answer.VALID


def test_without_dots_nothing_is_said() -> None:
    """A system that does not name versions cannot be judged by their names."""
    story = Story()
    story.put("a", outcome=UNKNOWN)
    assert check(story.ended()).answer is Answer.UNKNOWN


def test_findings_are_cut_and_counted() -> None:
    """Twelve reused dots are twelve, though ten are told."""
    story = Story()
    for number in range(12):
        story.put("a", key=f"k{number}", dot="n1.1")
        story.get("n1.1=b", key=f"k{number}")
    verdict = check(story.ended())
    assert (verdict.found, len(verdict.findings)) == (12, 10)
