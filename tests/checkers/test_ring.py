"""A ring at rest: one, complete, well spread, with nothing to move, to repair or to let go of."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.history import Outcome, Place, Sent
from checkers.ring import check
from checkers.sent_again import lies_in
from checkers.verdict import Answer, Verdict
from node.core.ring import POSITION_BITS, RING_BITS, position
from tests.checkers.story import NODES, Story

FOUR = dict.fromkeys((*NODES, "n4"), "valid")


def told(story: Story) -> Verdict:
    """What is said of a story that came to rest."""
    return check(story.settled().ended())


def kinds(verdict: Verdict) -> list[str]:
    """What was found."""
    return [finding.kind for finding in verdict.findings]


def sent(**more: Any) -> Sent:
    """A seat of ten keys that n1 gave to n4."""
    return Sent(**{"seat": "8.0.1", "giver": "n1", "taker": "n4", "state": "done", "keys": 10, "sent": 10, **more})


def test_a_ring_at_rest_is_valid() -> None:
    """All know it, all that was due has moved, and what is held is where it belongs."""
    story = Story().everywhere("v").ring(FOUR, seats=(NODES, ("n2", "n3", "n4")), transfers=(sent(),))
    verdict = told(story)
    assert verdict.answer is Answer.VALID
    assert verdict.reason == "4 members know one ring, and no seat has to move"
    assert verdict.figures["sent"] == 10


def test_two_rings_are_told_with_who_knows_which() -> None:
    """Whoever is right, they do not agree."""
    verdict = told(Story().ring(by=("n1", "n2")).ring(by=("n3",), ring="r2"))
    assert kinds(verdict) == ["rings-differ"]
    assert verdict.findings[0].evidence == ("ring r1: n1, n2", "ring r2: n3")


def test_one_ring_is_not_two_that_bear_its_name() -> None:
    """What they seat otherwise is told, partition by partition."""
    mine, yours = (NODES, ("n2", "n3", "n1")), (NODES, ("n3", "n2", "n1"))
    verdict = told(Story().ring(by=("n1", "n2"), seats=mine).ring(by=("n3",), seats=yours))
    assert kinds(verdict) == ["seats-differ"]
    assert verdict.findings[0].summary == "n1 and n3 both know ring r1, and mean other seats by it in 1 of 2 partitions"
    assert verdict.findings[0].evidence == ("partition 1: n2, n3, n1, or n3, n2, n1",)
    fewer = told(Story().ring(by=("n1", "n2"), seats=mine).ring(by=("n3",), seats=mine[:1]))
    assert kinds(fewer) == ["seats-differ"]
    assert kinds(told(Story().ring(by=("n1", "n2"), seats=mine).ring(by=("n3",), seats=yours, ring="r2"))) == [
        "rings-differ"
    ]


def test_an_outsider_may_know_less() -> None:
    """Nobody asks a node that has left."""
    states = {**dict.fromkeys(NODES, "valid"), "n4": "left"}
    assert told(Story().ring(states, by=NODES).ring(states, by=("n4",), ring="r0")).answer is Answer.VALID


def test_seats_that_have_not_passed() -> None:
    """With how many, and who knows of them."""
    verdict = told(Story().ring(moves=2))
    assert kinds(verdict) == ["moves-due"]
    assert verdict.findings[0].summary == "2 seats had not passed to their new owners at the end"


def test_one_ring_moves_to_one_other() -> None:
    """Who has the same seats today, under the same name, and does not mean to move the same ones, has another ring."""
    verdict = told(Story().ring(by=("n1", "n2"), moves=2).ring(by=("n3",)))
    assert kinds(verdict) == ["moves-differ", "moves-due"]
    assert verdict.findings[0].evidence == ("2 moves: n1, n2", "0 moves: n3")


def test_a_cluster_that_was_still_at_work_is_not_judged() -> None:
    """It may only have been late."""
    verdict = check(Story().ring(moves=2).settled("moving").ended())
    assert verdict.answer is Answer.UNKNOWN


def test_partitions_are_kept_on_different_hosts() -> None:
    """As many as there are, up to N."""
    places = {node: Place(machine=machine) for node, machine in zip(FOUR, ("a", "a", "b", "c"), strict=True)}
    verdict = told(Story().ring(FOUR, places=places, seats=(("n1", "n3", "n4"), NODES)))
    assert kinds(verdict) == ["too-close"]
    assert verdict.findings[0].summary == "1 of 2 partitions are kept on fewer than 3 hosts"
    two = {node: Place(machine=machine) for node, machine in zip(FOUR, "aabb", strict=True)}
    assert told(Story().ring(FOUR, places=two, seats=(("n1", "n3", "n4"),))).answer is Answer.VALID


def test_partitions_are_kept_in_different_racks_and_data_centres() -> None:
    """Racks of one name in two data centres are two."""
    places = {
        "n1": Place(machine="n1", rack="r1", dc="d1"), "n2": Place(machine="n2", rack="r2", dc="d1"),
        "n3": Place(machine="n3", rack="r1", dc="d2"), "n4": Place(machine="n4", rack="r1", dc="d1"),
    }  # fmt: skip
    assert told(Story().ring(FOUR, places=places)).answer is Answer.VALID
    one_dc = told(Story().ring(FOUR, places=places, seats=(("n1", "n2", "n4"),)))
    assert [finding.summary for finding in one_dc.findings] == [
        "1 of 1 partition are kept on fewer than 3 racks",
        "1 of 1 partition are kept on fewer than 2 data centres",
    ]


def test_who_is_no_member_keeps_no_partition() -> None:
    """It has left, and others believe it sits there."""
    states = {**dict.fromkeys(NODES, "valid"), "n4": "left"}
    verdict = told(Story().ring(states, by=NODES, seats=(("n1", "n2", "n4"),)))
    assert "seat-outside" in kinds(verdict)


@pytest.mark.parametrize(("sent_", "answer"), [(11, Answer.VALID), (12, Answer.INVALID)])
def test_a_key_is_sent_again_only_when_it_was_written_again(sent_: int, answer: Answer) -> None:
    """One put in the whole run is a reason for one key."""
    story = Story()
    story.put("v")
    verdict = told(story.everywhere("v").ring(transfers=(sent(sent=sent_),)))
    assert verdict.answer is answer
    assert kinds(verdict) == ["sent-twice"][: answer is Answer.INVALID]


def test_a_key_lies_where_the_nodes_say_that_it_does() -> None:
    """A checker reckons for itself, and comes to the same."""
    for key in ("k", "k0", "k17", "a key with spaces"):
        lies = position(key.encode()) >> POSITION_BITS - RING_BITS
        assert lies_in(key, sent(bounds=(lies, lies + 1)))
        assert not lies_in(key, sent(bounds=(lies + 1, 1 << RING_BITS)))
        assert not lies_in(key, sent(bounds=(0, lies)))


def test_only_a_put_of_that_partition_is_a_reason() -> None:
    """One elsewhere has nothing to do with it."""
    lower, upper = (0, 1 << 62), (1 << 62, 1 << 63)
    here, elsewhere = (lower, upper) if lies_in("k", sent(bounds=lower)) else (upper, lower)
    for bounds, found in ((here, []), (elsewhere, ["sent-twice"])):
        story = Story()
        story.put("v")
        assert kinds(told(story.everywhere("v").ring(transfers=(sent(sent=11, bounds=bounds),)))) == found


def _joined(story: Story) -> Story:
    """Somebody joined, some time after all that was told before."""
    return story.wait(3).fault(1, "join", "requested").fault(1, "join", "started").fault(1, "join", "healed")


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.UNKNOWN])
def test_what_had_arrived_before_anything_went_wrong_is_no_reason(outcome: Outcome) -> None:
    """What nobody knows of may yet arrive."""
    story = Story()
    story.put("v", outcome=outcome)
    verdict = told(_joined(story).everywhere("v").ring(transfers=(sent(sent=11),)))
    assert kinds(verdict) == ["sent-twice"][: outcome is Outcome.OK]


def test_what_is_written_when_all_seats_have_passed_on_is_no_reason() -> None:
    """Somebody knew the last ring by then; a transfer that was broken off may have gone on."""
    story = _joined(Story())
    story.put("v", ring="r1")
    story.put("w", ring="r1")
    story.everywhere("v")
    assert kinds(told(story.branch().ring(transfers=(sent(sent=11),)))) == []
    assert kinds(told(story.branch().ring(transfers=(sent(sent=12),)))) == ["sent-twice"]
    assert kinds(told(story.branch().ring(transfers=(sent(sent=12, state="ended"),)))) == []


def test_what_was_on_a_lost_disk_arrives_again() -> None:
    """Long after it was written."""
    story = Story()
    story.put("v")
    _joined(story).node("n2", "killed").node("n2", "wiped").node("n2", "started").everywhere("v")
    assert kinds(told(story.ring(transfers=(sent(sent=11),)))) == []


def test_a_seat_is_given_away_once() -> None:
    """By one node; a transfer that was broken off does not count."""
    twice = Story().ring(by=("n1",), transfers=(sent(),)).ring(by=("n2", "n3"), transfers=(sent(giver="n2"),))
    assert kinds(told(twice)) == ["moved-twice"]
    broken = Story().ring(by=("n1",), transfers=(sent(),)).ring(by=("n2", "n3"), transfers=(sent(state="ended"),))
    assert told(broken).answer is Answer.VALID


def test_nothing_is_repaired_at_rest() -> None:
    """Between the two looks that showed that nothing changed, nothing was brought anywhere either."""
    before, after = {"repaired_here": 4, "exchanges": 9}, {"repaired_here": 6, "exchanges": 12}
    story = Story().ring(round_name="idle", exchanges=before).ring(exchanges=after)
    assert kinds(told(story)) == ["repairs-for-ever"] * 3
    story = Story().ring(round_name="idle", exchanges=before).ring(exchanges={**before, "exchanges": 12})
    assert told(story).answer is Answer.VALID
    restless = Story().ring(round_name="idle", exchanges=before).ring(exchanges=after).settled("stuck")
    assert check(restless.ended()).answer is Answer.VALID


def test_who_gave_a_seat_away_lets_go_of_it() -> None:
    """A hint is another matter."""
    story = Story().everywhere("v").dump({"n4": {"k": ("v",)}}).ring(FOUR)
    verdict = told(story)
    assert kinds(verdict) == ["misplaced"]
    assert verdict.findings[0].nodes == ("n4",)
    assert told(Story().everywhere("v").dump({"n4": {"k>n1": ("v",)}}).ring(FOUR)).answer is Answer.VALID


def test_who_is_back_is_not_down() -> None:
    """It holds something, so it lives; one that is away may be marked."""
    states = {**FOUR, "n3": "down"}
    assert kinds(told(Story().everywhere("v").ring(states, by=("n1", "n2", "n4")))) == ["still-down"]
    away = Story().dump({"n1": {"k": ("v",)}}).ring(states, by=("n1", "n2", "n4"))
    assert told(away).answer is Answer.VALID


def test_a_member_that_told_nothing_leaves_it_open() -> None:
    """And so does a run in which nobody told anything."""
    verdict = told(Story().ring(by=("n1", "n2")))
    assert (verdict.answer, verdict.reason) == (Answer.UNKNOWN, "n3 did not tell of its ring")
    assert check(Story().ended()).answer is Answer.UNKNOWN
