"""Plain lines tell phases, faults and nodes with the run's time, and nothing else."""

from __future__ import annotations

import pytest

from checkers.history import RunEnded
from reports.plain import WIDTH, PlainLines, cut_short
from tests.checkers.story import Story


def lines(story: Story) -> list[str]:
    """Every line of a story."""
    plain = PlainLines()
    told = [plain.line(record) for record in story.records]
    return [line for line in told if line is not None]


def test_a_run_in_plain_lines() -> None:
    """The whole of a run, to the letter: operations, dumps and first starts have no line of their own."""
    story = Story().phase("prepare")
    for node in story.nodes:
        story.node(node, "started")
    story.phase("load").wait(4)
    story.put("a")
    cut = {"sides": [["n1"], ["n2", "n3"]], "links": ["n1>n2"]}
    story.fault(1, "partition-halves", "requested", detail=cut)
    story.fault(1, "partition-halves", "started", detail=cut)
    story.fault(1, "partition-halves", "healed", detail=cut, delivered=True)
    story.node("n2", "killed").fault(2, "kill", "started", detail={"nodes": ["n2"]})
    story.phase("heal").node("n2", "started")
    story.fault(2, "kill", "healed", detail={"nodes": ["n2"]}, delivered=False)
    story.fault(3, "odd", "failed", detail={"reason": "no such power"}).fault(4, "odd", "failed")
    story.settled().everywhere("a")
    story.records.append(RunEnded(at=story.now, interrupted="SIGTERM"))
    assert lines(story) == [
        "  0.010 s  phase prepare",
        "  0.050 s  phase load, 3 of 3 nodes up",
        "  4.090 s  fault 1 partition-halves started: n1 | n2 n3",
        "  4.100 s  fault 1 partition-halves healed, seen to take effect",
        "  4.110 s  n2 killed",
        "  4.120 s  fault 2 kill started: n2",
        "  4.130 s  phase heal, 2 of 3 nodes up",
        "  4.140 s  n2 started",
        "  4.150 s  fault 2 kill healed, never seen to take effect",
        "  4.160 s  fault 3 odd failed: no such power",
        "  4.170 s  fault 4 odd failed",
        "  4.180 s  final: quiet after 1.500 s",
        "  4.210 s  interrupted: SIGTERM",
    ]


@pytest.mark.parametrize(
    ("detail", "whom"),
    [
        ({}, ""),
        ({"sides": [["n1", "n2"], ["n3"]], "nodes": ["n4"]}, ": n1 n2 | n3, n4"),
        ({"links": ["n1>n2", "n2>n1"]}, ": 2 links"),
    ],
)
def test_whom_a_fault_is_done_to(detail: dict[str, object], whom: str) -> None:
    """Sides and who stands between them; links where there are neither."""
    assert lines(Story().fault(1, "odd", "started", detail=detail)) == [f"  0.010 s  fault 1 odd started{whom}"]


def test_lines_are_short_and_printable() -> None:
    """A reason of many words and of control characters stays on one line of a hundred columns."""
    (line,) = lines(Story().fault(1, "odd", "failed", detail={"reason": "\x1b[2Jone\ntwo " + "very " * 50}))
    assert len(line) == WIDTH
    assert line.isprintable()
    assert line.startswith(r"  0.010 s  fault 1 odd failed: \x1b[2Jone\ntwo very")


def test_an_interruption_is_named_once() -> None:
    """Whatever words the reason is given in."""
    assert cut_short(RunEnded(at=1, interrupted="interrupted by SIGINT")) == "interrupted by SIGINT"
    assert cut_short(RunEnded(at=1, interrupted="disk full")) == "interrupted: disk full"
    assert cut_short(RunEnded(at=1)) == ""
