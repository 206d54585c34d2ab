"""A read of nothing is wrong where its quorum and a write's must have met, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from checkers.found import check
from checkers.history import Ack
from checkers.verdict import Answer
from tests.checkers.story import Story

PRIMARIES = (Ack(node="n2"), Ack(node="n3"))
FALLBACK = (Ack(node="n2"), Ack(node="n4", hint_for="n3"))
IN_MEMORY = (Ack(node="n2"), Ack(node="n3", durable=False))


def test_a_read_after_a_write_finds_something() -> None:
    """R = 2 and W = 2 of N = 3 have a replica in common."""
    story = Story()
    put = story.put("v")
    get = story.get(acks=PRIMARIES)
    verdict = check(story.ended())
    assert verdict.answer is Answer.INVALID
    assert verdict.findings[0].kind == "not-found"
    assert verdict.findings[0].operations == (put, get)
    assert len(verdict.findings[0].evidence) == 2


def test_something_else_is_not_this_checkers_business() -> None:
    """What was read may be older."""
    story = Story()
    story.put("v")
    story.get("old", acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.VALID


@pytest.mark.parametrize("acks", [FALLBACK, IN_MEMORY, (Ack(node="n3"),)])
def test_quorums_that_need_not_meet(acks: tuple[Ack, ...]) -> None:
    """A fallback stood in, one forgets, or they were too few."""
    story = Story()
    story.put("v")
    story.get(acks=acks)
    assert check(story.ended()).answer is Answer.VALID
    story = Story()
    story.put("v", acks=acks)
    story.get(acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.VALID


def test_a_write_that_had_not_ended_or_had_failed_or_was_of_another_key() -> None:
    """Nobody has to know of it yet, or at all."""
    story = Story()
    story.put("v", answered=False)
    story.put("w", key="other")
    story.get(acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.VALID


@pytest.mark.parametrize("events", [("killed", "wiped", "started"), ("killed",)])
def test_what_was_lost_with_a_disk_does_not_count(events: tuple[str, ...]) -> None:
    """Neither does what is on a node that never came back."""
    story = Story()
    story.put("v")
    for event in events:
        story.node("n1", event)
    story.get(acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.VALID
    story = Story()
    story.put("v")
    story.node("n1", "killed").node("n1", "started")
    story.get(acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.INVALID


def test_a_disk_that_could_not_be_trusted_does_not_count() -> None:
    """A bit may have flipped in just that key."""
    story = Story()
    story.put("v")
    story.fault(1, "disk-rot", "requested", detail={"nodes": ["n1"]})
    story.get(acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.VALID


def test_what_was_written_after_a_disk_was_lost_counts() -> None:
    """The empty disk that a node came back with has got it since; so a wiped node is no excuse for the whole run."""
    story = Story()
    story.node("n1", "killed").node("n1", "wiped").node("n1", "started")
    story.put("v")
    story.get(acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.INVALID


def test_who_lost_its_disk_is_asked_alone() -> None:
    """W = 2 of N = 2 have it and R = 1 is enough, but for the one node that has an empty disk by then."""
    story = Story(("n1", "n2"))
    story.records[0] = msgspec.structs.replace(story.ended().run, n=2, r=1, w=2)
    story.put("v")
    lost = story.branch().node("n2", "killed").node("n2", "wiped").node("n2", "started")
    lost.get(acks=(Ack(node="n2"),))
    assert check(lost.ended()).answer is Answer.VALID
    story.get(acks=(Ack(node="n2"),))
    assert check(story.ended()).answer is Answer.INVALID


@pytest.mark.parametrize("fault", ["evict", "remove", "replace", "down"])
def test_the_copy_of_a_node_that_is_passed_over_does_not_count(fault: str) -> None:
    """With N = 1 it was the only one. What was written after that, where others sit, has to be found."""
    story = Story()
    story.records[0] = msgspec.structs.replace(story.ended().run, n=1, r=1, w=1)
    story.put("v", acks=(Ack(node="n1"),))
    story.fault(1, fault, "requested", detail={"nodes": ["n1"]})
    story.get(acks=(Ack(node="n2"),))
    story.fault(1, fault, "healed", detail={"nodes": ["n1"]}, delivered=True)
    story.get(acks=(Ack(node="n3"),))
    assert check(story.ended()).answer is Answer.VALID
    put = story.put("w", acks=(Ack(node="n2"),))
    get = story.get(acks=(Ack(node="n3"),))
    assert [finding.operations for finding in check(story.ended()).findings] == [(put, get)]


@pytest.mark.parametrize("fault", ["leave", "rejoin", "join"])
def test_who_leaves_in_good_order_gives_away_what_it_has(fault: str) -> None:
    """Its copy counts, wherever it is by then."""
    story = Story()
    story.put("v")
    story.fault(1, fault, "requested", detail={"nodes": ["n1"]})
    story.get(acks=PRIMARIES)
    assert check(story.ended()).answer is Answer.INVALID


def test_where_nothing_was_read_nothing_is_wrong() -> None:
    """Whether that is worth anything is for another checker to say."""
    story = Story()
    story.put("v")
    verdict = check(story.ended())
    assert (verdict.answer, verdict.reason) == (Answer.VALID, "of 0 reads none missed what a quorum of primaries had")
