"""A report tells everything that matters, in a terminal, in a pipe, and at sixty columns."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from checkers.history import History
from checkers.judge import judge
from checkers.verdict import Answer, Finding, Verdict
from reports.terminal import console_for, print_report
from tests.checkers.story import FAILED, OK, UNKNOWN, Story


def _history() -> History:
    story = Story(faults=("partition-halves",)).phase("stress")
    story.put("[bold]a")
    story.put("b", outcome=FAILED)
    story.put("c", outcome=UNKNOWN)
    story.fault(1, "partition-halves", "started", detail={"sides": [["n1"], ["n2", "n3"]]})
    traffic = {"n1>n2": {"seen": 1300, "dropped": 1204}}
    story.wait(2).fault(1, "partition-halves", "healed", delivered=True, observed=traffic)
    story.fault(2, "kill", "requested").fault(2, "kill", "failed")
    return story.everywhere().settled().ended()


def _report(
    history: History, verdicts: tuple[Verdict, ...], *, width: int | None = None, world_note: str | None = None
) -> str:
    stream = io.StringIO()
    console = console_for(stream)
    if width is not None:
        console.width = width
    print_report(history, verdicts, console, replay="keelhaul replay runs/latest", world_note=world_note)
    return stream.getvalue()


def test_the_whole_report() -> None:
    """What was run, what was done, what was broken, what was concluded and why, and how to repeat it."""
    history = _history()
    report = _report(history, judge(history).verdicts, world_note="no Docker engine here: ran as processes")
    for expected in (
        "a-story in sim, seed 7",
        "keelhaul, 3 nodes, N=3 R=2 W=2",
        "no Docker engine here: ran as processes",
        "1 204 of 1 300 messages dropped",
        "0 of 1, 1 could not be injected",
        "kept-writes 1/1  lost-write  c1.1 put [bold]a to k, acknowledged by n1, n2",
        "keelhaul replay runs/latest",
    ):
        assert expected in report
    assert report.splitlines()[-1] == "invalid: kept-writes found 1"


def test_the_order_of_the_report() -> None:
    """What was done, what was broken, how quick it was, what reads returned, what holds, the evidence, the answer."""
    history = _history()
    report = _report(history, judge(history).verdicts)
    parts = [
        "a-story in sim",
        "operations ",
        "faults ",
        "latency, ms ",
        "from invocation to answer",
        "checker ",
        "kept-writes 1/1",
        "repeat it with",
        "invalid: kept-writes",
    ]
    places = [report.index(f"\n{part}") if place else 0 for place, part in enumerate(parts)]
    assert places == sorted(places)
    story = Story()
    story.get("a")
    assert "\n1 get " in _report(story.ended(), ())


def test_operations_are_counted_by_kind_and_outcome() -> None:
    """Three puts, one of each outcome."""
    lines = _report(_history(), ()).splitlines()
    assert ["put", "1", "1", "1"] in [line.split() for line in lines]


def _long_history() -> History:
    """Long names, many samples and all kinds of siblings: as wide as tables get."""
    story = Story(faults=("partition-majorities-ring",)).phase("load").phase("stress")
    story.fault(1, "partition-majorities-ring", "started", detail={"links": ["n1>n2"]})
    for _ in range(1000):
        story.get(*"abcde")
        story.put("[red]a[/red]", outcome=OK)
    story.fault(1, "partition-majorities-ring", "healed", observed={"n1>n2": {"seen": 10**7, "dropped": 10**7}})
    for values in ((), ("a",), ("a", "b"), ("a", "b", "c")):
        story.get(*values)
    return story.everywhere("[red]a[/red]").settled().ended()


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("told", [_history, _long_history])
def test_no_line_is_wider_than_the_terminal(width: int, told: Callable[[], History]) -> None:
    """At sixty columns as well, with every word of every verdict still there."""
    history = told()
    verdicts = judge(history).verdicts
    report = _report(history, verdicts, width=width)
    assert max(map(len, report.splitlines())) <= width
    words = " ".join(report.split())
    assert all(verdict.checker in words and verdict.answer.value in words for verdict in verdicts)
    assert all(word in words for verdict in verdicts for word in verdict.reason.split())


def test_numbers_are_whole_at_sixty_columns() -> None:
    """A narrow terminal folds words, and cuts no number short."""
    report = _report(_long_history(), (), width=60)
    assert "…" not in report
    assert ["10.0", "10.0", "10.0"] in [line.split()[-3:] for line in report.splitlines()]


def test_values_are_no_markup() -> None:
    """What looks like markup is printed as it is."""
    story = Story()
    story.put("[red]a[/red]")
    history = story.everywhere().settled().ended()
    assert "c1.1 put [red]a[/red] to k" in _report(history, judge(history).verdicts)


def test_a_pipe_gets_plain_text_of_a_fixed_width() -> None:
    """No escape, and a hundred columns whatever the machine says."""
    console = console_for(io.StringIO())
    assert (console.width, console.is_terminal) == (100, False)
    assert "\x1b" not in _report(_history(), judge(_history()).verdicts)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.mark.parametrize("no_color", [False, True])
def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
    """`NO_COLOR` is honoured."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    stream = _Terminal()
    print_report(_history(), judge(_history()).verdicts, console_for(stream), replay=None, world_note=None)
    assert ("\x1b[1;31m" in stream.getvalue()) is not no_color


def test_a_stream_that_cannot_say_it_still_gets_the_verdict() -> None:
    """A character that ASCII lacks is escaped; the report goes on to its answer."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    story = Story()
    story.put("ключ")
    history = story.everywhere().settled().ended()
    print_report(history, judge(history).verdicts, console_for(stream), replay=None, world_note=None)
    stream.flush()
    assert raw.getvalue().splitlines()[-1].startswith(b"invalid: ")


@pytest.mark.parametrize(
    ("answers", "last"),
    [
        ([Answer.VALID, Answer.VALID], "valid: all 2 checkers agree"),
        ([Answer.VALID, Answer.UNKNOWN], "unknown: one cannot tell"),
        ([Answer.INVALID, Answer.UNKNOWN], "invalid: nought found 3"),
        ([], "unknown: nobody judged"),
    ],
)
def test_the_last_line_is_the_answer(answers: list[Answer], last: str) -> None:
    """One line, for whoever reads only one."""
    verdicts = tuple(
        Verdict(checker=name, answer=answer, reason="so it is", found=3 if answer is Answer.INVALID else 0)
        for name, answer in zip(("nought", "one"), answers, strict=False)
    )
    assert _report(_history(), verdicts).splitlines()[-1] == last


def test_what_was_cut_is_counted() -> None:
    """Ten findings are told; that there were more is said."""
    finding = Finding(kind="odd", summary="it is odd", evidence=("so it is",))
    verdict = Verdict(checker="nought", answer=Answer.INVALID, reason="odd", findings=(finding,), found=12)
    assert "nought: 11 more like these" in _report(_history(), (verdict,))


def test_an_unfinished_history_says_so() -> None:
    """Torn lines, an interruption and a killed run are in the header."""
    told = Story().told()
    assert "the run was killed" in _report(told, ())
    assert "h.jsonl:9: torn" in _report(History(told.records, ("h.jsonl:9: torn",)), ())
    assert "interrupted: SIGTERM" in _report(Story().ended("SIGTERM"), ())


def test_the_console_is_only_told_how_to_print() -> None:
    """Any console will do, so that a caller may record what is printed."""
    console = Console(file=io.StringIO(), record=True, width=80)
    print_report(_history(), (), console, replay=None, world_note=None)
    assert "no checker judged this run" in console.export_text()
