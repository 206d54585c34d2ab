"""Where a run stands follows from its records alone."""

from __future__ import annotations

import pytest

from checkers.history import Completed, Invoked, Outcome, Record
from reports.progress import WINDOW_S, Progress
from tests.checkers.story import FAILED, UNKNOWN, Story

CUT = {"sides": [["n1"], ["n2", "n3"]]}


def progress(story: Story) -> Progress:
    """Tell a story so far."""
    heard = Progress()
    for record in story.records:
        heard.hear(record)
    return heard


def operations(at: int, count: int, outcome: Outcome = Outcome.OK) -> list[Record]:
    """That many operations that begin and end at one time."""
    ids = [f"{at}.{outcome.value}.{number}" for number in range(count)]
    asked = [Invoked(at=at, op=op, client="c1", node="n1", f="get", key="k") for op in ids]
    return [*asked, *(Completed(at=at, op=op, outcome=outcome) for op in ids)]


def test_before_anything_is_heard() -> None:
    """Nothing is known, and nothing breaks."""
    fresh = Progress()
    assert (fresh.run, fresh.phase, fresh.totals, fresh.under_way) == (None, None, (0, 0, 0), 0)
    assert fresh.rates(0) == (0.0, 0.0, 0.0)


def test_operations_by_outcome() -> None:
    """Each is counted once, by what became of it; one that has not ended is under way."""
    story = Story().phase("stress")
    story.put("a")
    story.get("a")
    story.put("b", outcome=FAILED)
    story.put("c", outcome=UNKNOWN)
    story.put("d", answered=False)
    told = progress(story)
    assert (told.totals, told.under_way) == ((2, 1, 1), 1)
    assert told.at == story.now
    assert told.phase is not None
    assert told.phase.name == "stress"


def test_rates_are_those_of_the_last_seconds() -> None:
    """Ten a second for a minute, then two a second failing for the length of the window: only the latter is told."""
    told = Progress()
    for second in range(60):
        for record in operations(second * 1_000_000_000, 10):
            told.hear(record)
    end = 60 + WINDOW_S
    for second in range(60, end):
        for record in operations(second * 1_000_000_000, 2, FAILED):
            told.hear(record)
    ok, failed, unknown = told.rates(end * 1_000_000_000 - 1)
    assert (ok, unknown) == (0.0, 0.0)
    assert failed == pytest.approx(2.0)
    assert told.rates((end + WINDOW_S) * 1_000_000_000) == (0.0, 0.0, 0.0)


def test_a_young_run_is_not_slow() -> None:
    """Twenty operations in the first second are twenty a second, though the window is longer; and none is infinite."""
    told = Progress()
    for record in operations(30_000_000_000, 20):
        told.hear(record)
    assert told.rates(31_000_000_000)[0] == pytest.approx(20.0)
    assert told.rates(30_000_000_000)[0] == pytest.approx(40.0)


def test_a_fault_stands_from_its_start_to_its_cure() -> None:
    """Requested, in force since, gone."""
    story = Story()
    story.fault(1, "kill", "requested", detail={"nodes": ["n2"]})
    assert progress(story).faults[1].since is None
    story.fault(1, "kill", "started", detail={"nodes": ["n2"]})
    fault = progress(story).faults[1]
    assert (fault.name, fault.victims, fault.since) == ("kill", ("n2",), story.now)
    story.fault(1, "kill", "healed", delivered=True).fault(2, "wipe", "requested").fault(2, "wipe", "failed")
    told = progress(story)
    assert (told.faults, told.healed, told.failed) == ({}, 1, 1)


def test_puts_are_counted_for_the_side_that_was_asked() -> None:
    """Taken of tried, on each side; gets, puts from before the cut, and what never left the client do not count."""
    story = Story()
    early = story.put("early", answered=False)
    story.fault(1, "partition-halves", "started", detail=CUT)
    story.records.append(Completed(at=story.now, op=early, outcome=Outcome.OK))
    story.put("a", node="n1", outcome=UNKNOWN)
    story.put("b", node="n2")
    story.put("c", node="n3", outcome=FAILED)
    story.get("b", node="n3")
    unsent = story.put("d", node="n3", answered=False)
    story.records.append(Completed(at=story.now, op=unsent, outcome=FAILED, error="not sent: no connection"))
    minority, majority = progress(story).faults[1].sides
    assert (minority.nodes, minority.taken, minority.tried) == (("n1",), 0, 1)
    assert (majority.nodes, majority.taken, majority.tried) == (("n2", "n3"), 1, 2)


def test_nodes_up_and_down() -> None:
    """Down since it first went; wiping a node that is down changes nothing; up again when it is started."""
    story = Story()
    for node in story.nodes:
        story.node(node, "started")
    story.node("n2", "killed")
    since = story.now
    told = progress(story.node("n2", "exited").node("n2", "wiped"))
    assert (list(told.up), told.down) == (["n1", "n3"], {"n2": since})
    assert progress(story.node("n2", "started")).down == {}


def test_the_last_look_at_replicas() -> None:
    """How the wait for quiet ended, and how many nodes were dumped in that round."""
    story = Story().everywhere("a", round_name="fault-1")
    first = progress(story).round
    assert first is not None
    assert (first.name, first.settled, first.dumped) == ("fault-1", None, 3)
    last = progress(story.settled("stuck").everywhere("a")).round
    assert last is not None
    assert last.settled is not None
    assert (last.name, last.settled.state, last.dumped) == ("final", "stuck", 3)


def test_a_run_that_has_ended() -> None:
    """Its end is kept, with the reason of one that was cut short."""
    told = Progress()
    for record in Story().ended("SIGTERM").records:
        told.hear(record)
    assert told.ended is not None
    assert told.ended.interrupted == "SIGTERM"
