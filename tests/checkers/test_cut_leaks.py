"""A cut that somebody spoke across was no cut, whatever the world counted."""

from __future__ import annotations

import pytest

from checkers.cut_leaks import cut_leaks
from checkers.episodes import episodes
from checkers.history import Ack, Completed, Outcome
from checkers.vacuity import check
from checkers.verdict import Answer, Finding
from tests.checkers.story import Story, versions

FIVE = ("n1", "n2", "n3", "n4", "n5")
SIDES = [["n1", "n2"], ["n3", "n4", "n5"]]
BOTH_WAYS = [f"{a}>{b}" for a in FIVE for b in FIVE if (a in SIDES[0]) != (b in SIDES[0])]


def _begun(links: list[str] = BOTH_WAYS, waited: float = 1.0) -> Story:
    return Story(FIVE).fault(1, "halves", "started", detail={"sides": SIDES, "links": links}).wait(waited)


def _found(story: Story, *, later: float = 1.0, dumped: bool = False) -> list[Finding]:
    """What is found when the cut is healed in the end; `dumped` says whether the replicas were looked at before."""
    story.wait(later)
    if dumped:
        story.everywhere(round_name="fault-1").wait(1)
    history = story.fault(1, "halves", "healed", delivered=True).ended()
    return list(cut_leaks(history, episodes(history)))


def _acks(*names: str) -> tuple[Ack, ...]:
    return tuple(Ack(node=name) for name in names)


def test_a_put_that_both_sides_confirmed_shows_the_leak() -> None:
    """The evidence names the operation, its coordinator, who answered and the cut; the run proves nothing."""
    story = _begun()
    put = story.put("a", node="n1", acks=_acks("n1", "n4"))
    story.put("b", node="n2", acks=_acks("n2", "n1"))
    (finding,) = _found(story)
    assert (finding.kind, finding.operations, finding.nodes) == ("cut-leaked", (put,), ("n1", "n4"))
    assert finding.summary == "cut 1 (halves) leaked: n1 and n4 answered c1.1 together, 1 operation in all"
    assert "halves n1 n2 | n3 n4 n5" in finding.evidence[0]
    assert "coordinator n1, acks n1, n4 — across n1>n4 and n4>n1" in finding.evidence[1]
    verdict = check(story.ended())
    assert verdict.answer is Answer.UNKNOWN
    assert "cut-leaked" in [finding.kind for finding in verdict.findings]


def test_a_get_shows_it_as_well() -> None:
    """Whoever returned a replica's versions has heard it."""
    story = _begun()
    story.get("a", node="n3")
    (got,) = (record for record in story.records if isinstance(record, Completed))
    story.records[-1] = Completed(
        at=got.at, op=got.op, outcome=Outcome.OK, versions=versions("a"), coordinator="n3", acks=_acks("n5", "n2")
    )
    assert [finding.nodes for finding in _found(story)] == [("n3", "n2")]


def test_a_hint_lies_with_its_holder() -> None:
    """A fallback on the same side may stand in for anybody; one on the other side may not."""
    story = _begun()
    story.put("a", node="n3", acks=(Ack(node="n3"), Ack(node="n4", hint_for="n1")))
    assert _found(story.branch()) == []
    story.put("b", node="n3", acks=(Ack(node="n3"), Ack(node="n1", hint_for="n4")))
    assert [finding.nodes for finding in _found(story)] == [("n3", "n1")]


@pytest.mark.parametrize("dumped", [False, True])
@pytest.mark.parametrize(("waited", "later", "leaked"), [(1.0, 1.0, 1), (0.4, 1.0, 0), (0.6, 1.0, 1)])
def test_only_what_lies_surely_within_the_cut_counts(waited: float, later: float, leaked: int, dumped: bool) -> None:
    """What was on its way when the cut came may still arrive."""
    story = _begun(waited=waited)
    story.put("a", node="n1", acks=_acks("n1", "n4"))
    assert len(_found(story, later=later, dumped=dumped)) == leaked


@pytest.mark.parametrize("dumped", [False, True])
def test_what_ends_while_the_cut_is_being_healed_does_not_count(dumped: bool) -> None:
    """Links open one by one after the dump; where nobody dumped, half a second is left to them."""
    story = _begun(waited=2)
    if dumped:
        story.everywhere(round_name="fault-1")
    story.put("a", node="n1", acks=_acks("n1", "n4"))
    assert _found(story, later=2 if dumped else 0.3) == []


@pytest.mark.parametrize("links", [[], ["n1>n4"], ["n1>n5", "n5>n1"], ["n1n4", ">"]])
def test_a_pair_that_was_not_cut_both_ways_may_speak(links: list[str]) -> None:
    """One direction may be enough for somebody, and other pairs are not concerned."""
    story = _begun(links)
    story.put("a", node="n1", acks=_acks("n1", "n4"))
    assert _found(story) == []


def test_a_bridge_may_hear_both_halves() -> None:
    """Two replicas that answer the same coordinator need not hear each other."""
    story = _begun(["n1>n5", "n5>n1"])
    story.put("a", node="n3", acks=_acks("n3", "n1", "n5"))
    assert _found(story) == []


def test_a_cut_that_never_started_or_never_ended_breaks_nothing() -> None:
    """A run that was killed may end in the middle of a cut."""
    asked = Story(FIVE).fault(1, "halves", "requested", detail={"links": BOTH_WAYS}).ended()
    assert list(cut_leaks(asked, episodes(asked))) == []
    story = _begun()
    story.put("a", node="n1", acks=_acks("n1", "n4"))
    killed = story.wait(1).phase("stress").told()
    assert [finding.kind for finding in cut_leaks(killed, episodes(killed))] == ["cut-leaked"]
