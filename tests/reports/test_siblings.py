"""How many versions reads returned is counted for gets that were ok, and shares are never rounded into a claim."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from reports.siblings import ON_PURPOSE, siblings, versions_returned
from reports.tables import grouping, milliseconds, share
from tests.checkers.story import FAILED, Story


def test_versions_are_counted() -> None:
    """None, one, two, three, and four or more; what failed, and what was a put, counts nowhere."""
    story = Story()
    for values in ((), ("a",), ("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d"), ("a", "b", "c", "d", "e")):
        story.get(*values)
    story.get("a", outcome=FAILED)
    story.put("a")
    assert versions_returned(story.told()) == [1, 2, 1, 1, 2]


def test_the_table() -> None:
    """The shares, and why there are so many siblings."""
    story = Story()
    for _ in range(3):
        story.get("a")
    story.get("a", "b")
    paper = Console(file=io.StringIO(), width=60)
    paper.print(siblings(story.told()))
    assert isinstance(paper.file, io.StringIO)
    lines = [line.rstrip() for line in paper.file.getvalue().splitlines()]
    assert lines[:2] == [
        "versions returned  0       1       2  3  4+",
        "4 gets             0  75.00%  25.00%  0   0",
    ]
    assert " ".join(lines[2:]) == ON_PURPOSE


def test_nothing_to_tell() -> None:
    """No get, no table."""
    assert siblings(Story().told()) is None


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 7, "0"), (7, 7, "100%"), (1, 3, "33.33%"), (1, 10**9, "0.01%"), (10**9 - 1, 10**9, "99.99%"),
    ],
)  # fmt: skip
def test_a_share_never_pretends(part: int, whole: int, words: str) -> None:
    """Only nothing is 0, and only everything is 100%."""
    assert share(part, whole) == words


def test_numbers_can_be_read() -> None:
    """Thousands in groups; what is too short for a tenth of a millisecond is not nought."""
    assert grouping(1_234_567) == "1 234 567"
    assert [milliseconds(each) for each in (0, 1, 50_000, 1_234_560_000)] == ["0.0", "<0.1", "0.1", "1 234.6"]
