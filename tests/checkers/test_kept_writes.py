"""What counts as lost, and what does not (design, section 5)."""

from __future__ import annotations

import pytest

from checkers.history import Ack, Dumped, Held, History
from checkers.kept_writes import check
from checkers.verdict import Answer
from tests.checkers.story import FAILED, OK, UNKNOWN, Story, versions


def kinds(history: History) -> list[str]:
    """The kinds of what was found, in order."""
    return [finding.kind for finding in check(history).findings]


def test_an_acknowledged_write_that_is_nowhere_is_lost() -> None:
    """A put that was acknowledged, and is neither held nor covered, is lost; the evidence names who promised what."""
    story = Story()
    story.put("a", acks=(Ack(node="n2"), Ack(node="n3", hint_for="n1", durable=False)))
    story.put("b")
    verdict = check(story.everywhere("b").ended())
    assert verdict.answer is Answer.INVALID
    assert [finding.kind for finding in verdict.findings] == ["lost-write"]
    finding = verdict.findings[0]
    assert "c1.1 put a to k, acknowledged by n2, n3 (hint for n1, not durable)" in finding.summary
    assert finding.operations[0] == "c1.1"
    for node in ("n1", "n2", "n3"):
        assert f"{node} holds b" in finding.evidence
    assert any(line.strip().startswith("a") and line.endswith("LOST") for line in finding.evidence)


def test_a_value_covered_by_a_read_is_not_lost() -> None:
    """Whoever read a value and then wrote with that context has overwritten it."""
    story = Story()
    story.put("a")
    read = story.get("a")
    story.put("b", after=read)
    assert check(story.everywhere("b").ended()).answer is Answer.VALID


def test_a_read_that_did_not_return_the_value_covers_nothing() -> None:
    """A context covers what was returned, not what was there."""
    story = Story()
    story.put("a")
    read = story.get()
    story.put("b", after=read)
    assert kinds(story.everywhere("b").ended()) == ["lost-write"]


def test_covering_is_transitive_through_reads_and_replies() -> None:
    """c covers b by the context of b's reply, and b covers a by the context of a read: so c covers a."""
    story = Story()
    story.put("a")
    second = story.put("b", after=story.get("a"))
    story.put("c", after=second)
    assert check(story.everywhere("c").ended()).answer is Answer.VALID


def test_a_put_of_unknown_outcome_covers_when_it_is_held() -> None:
    """A put that may have happened did happen if its value is there, and then what it covers is not lost."""
    story = Story()
    story.put("a")
    story.put("b", after=story.get("a"), outcome=UNKNOWN)
    verdict = check(story.everywhere("b").ended())
    assert verdict.answer is Answer.VALID
    assert verdict.figures["unknown_took_effect"] == 1


def test_a_put_of_unknown_outcome_that_is_not_held_covers_nothing() -> None:
    """A put that left no trace does not excuse the loss of what it would have overwritten."""
    story = Story()
    story.put("a")
    story.put("b", after=story.get("a"), answered=False)
    story.put("c")
    assert kinds(story.everywhere("c").ended()) == ["lost-write"]


def test_a_put_of_unknown_outcome_may_be_nowhere() -> None:
    """Nothing was promised about it, and nobody saw it."""
    story = Story()
    story.put("a")
    story.put("b", outcome=UNKNOWN)
    assert check(story.everywhere("a").ended()).answer is Answer.VALID


def test_an_unacknowledged_value_that_was_read_must_not_vanish() -> None:
    """Once a client has seen a value, it happened: at the end it is held or covered."""
    story = Story()
    story.put("a")
    story.put("b", outcome=UNKNOWN)
    story.get("a", "b")
    assert kinds(story.everywhere("a").ended()) == ["vanished"]


def test_a_wiped_disk_excuses_what_vanished_but_no_acknowledged_write() -> None:
    """A disk lost on purpose may have held the only copy of what was never acknowledged."""
    story = Story()
    story.put("a")
    story.put("b", outcome=UNKNOWN)
    story.get("a", "b")
    story.node("n2", "killed").node("n2", "wiped").node("n2", "started")
    spared = check(story.branch().everywhere("a").ended())
    assert (spared.answer, spared.figures["vanished_excused"]) == (Answer.VALID, 1)
    lost = check(story.branch().everywhere("b").ended())
    assert [finding.kind for finding in lost.findings] == ["lost-write"]
    assert any("n2 was wiped" in line for line in lost.findings[0].evidence)


def test_a_covered_value_beside_its_successor_is_resurrected() -> None:
    """The live set of a key on one replica is an antichain."""
    story = Story()
    story.put("a")
    story.put("b", after=story.get("a"))
    history = story.dump({"n1": {"k": ("a", "b")}, "n2": {"k": ("b",)}, "n3": {"k": ("b",)}}).ended()
    verdict = check(history)
    assert [(f.kind, f.key, f.nodes[0]) for f in verdict.findings] == [("resurrected", "k", "n1")]
    assert "beside b, which covers it" in verdict.findings[0].summary


def test_a_covered_value_on_another_replica_is_not_resurrected() -> None:
    """A replica that is behind is for convergence to judge; nothing came back there."""
    story = Story()
    story.put("a")
    story.put("b", after=story.get("a"))
    history = story.dump({"n1": {"k": ("a",)}, "n2": {"k": ("b",)}, "n3": {"k": ("b",)}}).ended()
    assert check(history).answer is Answer.VALID


def test_siblings_are_not_resurrected() -> None:
    """Values written without seeing each other stand side by side."""
    story = Story()
    story.put("a")
    story.put("b")
    assert check(story.everywhere("a", "b").ended()).answer is Answer.VALID


@pytest.mark.parametrize("how", ["read", "held"])
def test_a_value_that_nobody_wrote_is_a_phantom(how: str) -> None:
    """Wherever it is seen."""
    story = Story()
    story.put("a")
    if how == "read":
        story.get("a", "ghost")
    history = story.everywhere("a", *(["ghost"] if how == "held" else [])).ended()
    assert kinds(history) == ["phantom"]


def test_a_put_that_certainly_failed_must_leave_nothing() -> None:
    """Failed means that it never took effect; its value anywhere makes that a lie."""
    story = Story()
    story.put("a")
    story.put("b", outcome=FAILED)
    verdict = check(story.everywhere("a", "b").ended())
    assert [finding.kind for finding in verdict.findings] == ["phantom"]
    assert "c1.2, which certainly failed" in verdict.findings[0].summary


def test_a_hint_keeps_a_value() -> None:
    """A hint on a live node is not a loss; that it is left is for convergence to judge."""
    story = Story()
    story.put("a")
    verdict = check(story.dump({"n1": {}, "n2": {"k>n1": ("a",)}, "n3": {}}).ended())
    assert verdict.answer is Answer.VALID
    assert verdict.figures["off_primaries"] == 1


def _astray() -> Story:
    """Tell how a fallback answered for n1 and then kept the value as its own: n4 holds it, and is no primary."""
    story = Story(("n1", "n2", "n3", "n4"))
    story.put("a", acks=(Ack(node="n4", hint_for="n1"),))
    story.put("b")
    return story


def test_a_stray_copy_keeps_nothing() -> None:
    """No reader asks who is not a primary, and nobody delivers what is no hint; the evidence says where it lies."""
    held = {"k": ("b",)}
    verdict = check(_astray().dump({"n1": held, "n2": held, "n3": held, "n4": {"k": ("a",)}}).ended())
    assert (verdict.answer, verdict.figures["lost"], verdict.figures["off_primaries"]) == (Answer.INVALID, 1, 1)
    finding = verdict.findings[0]
    assert (finding.kind, finding.operations, finding.nodes[0]) == ("lost-write", ("c1.1",), "n4")
    assert "no replica holds it (but for a stray copy on n4, which no reader finds)" in finding.summary
    assert "n4 has a astray: it is not a primary of k, and it is not a hint" in finding.evidence
    assert "n4, not a primary, holds a" in finding.evidence


def test_a_stray_copy_does_not_excuse_what_it_covers() -> None:
    """Whoever is lost himself has replaced nobody."""
    story = Story(("n1", "n2", "n3", "n4"))
    story.put("a")
    story.put("b", after=story.get("a"))
    assert kinds(story.dump({"n1": {}, "n2": {}, "n3": {}, "n4": {"k": ("b",)}}).ended()) == ["lost-write"] * 2


def test_a_value_that_was_read_and_lies_astray_has_vanished() -> None:
    """A put of unknown outcome that somebody read must not end where nobody finds it."""
    story = Story(("n1", "n2", "n3", "n4"))
    story.put("a", outcome=UNKNOWN)
    story.get("a")
    story.put("b")
    held = {"k": ("b",)}
    verdict = check(story.dump({"n1": held, "n2": held, "n3": held, "n4": {"k": ("a",)}}).ended())
    assert [finding.kind for finding in verdict.findings] == ["vanished"]
    assert "a stray copy on n4" in verdict.findings[0].summary


def test_a_stray_copy_counts_where_a_node_was_not_dumped_or_a_hint_lies_beside_it() -> None:
    """The missing node may hold the value; and a hint of it will be delivered, whatever else its holder has."""
    held = {"k": ("b",)}
    missing = check(_astray().dump({"n1": held, "n2": held, "n4": {"k": ("a",)}}).ended())
    hinted = check(_astray().dump({"n1": held, "n2": held, "n3": held, "n4": {"k": ("a",), "k>n1": ("a",)}}).ended())
    assert (missing.answer, hinted.answer) == (Answer.VALID, Answer.VALID)
    assert missing.figures["off_primaries"] == hinted.figures["off_primaries"] == 1


def test_whoever_is_a_primary_in_anybodys_view_is_asked_by_somebody() -> None:
    """Where rings differ a copy may still be found; that they differ is for convergence to judge."""
    story = _astray()
    story.dump({"n1": {"k": ("b",)}, "n2": {"k": ("b",)}, "n4": {"k": ("a",)}})
    other = Held(key="k", primaries=("n2", "n3", "n4"), versions=versions("b"))
    story.records.append(Dumped(at=story.now + 1, round="final", node="n3", held=(other,)))
    assert check(story.ended()).answer is Answer.VALID


def test_what_a_missing_node_may_hold_is_not_called_lost() -> None:
    """A value that is missing while a node could not be dumped is unknown, and the reason names the node."""
    story = Story()
    story.put("a")
    story.put("b")
    verdict = check(story.dump({"n1": {"k": ("b",)}, "n2": {"k": ("b",)}}).ended())
    assert verdict.answer is Answer.UNKNOWN
    assert "n3 could not be dumped" in verdict.reason


def test_a_missing_node_is_no_matter_when_nothing_is_missing() -> None:
    """Everything that was promised was found on those that could be dumped."""
    story = Story()
    story.put("a")
    assert check(story.dump({"n1": {"k": ("a",)}}).ended()).answer is Answer.VALID


def test_a_node_that_was_emptied_and_never_came_back_excuses_nothing() -> None:
    """Its disk is known to hold nothing, so what is missing is lost."""
    story = Story()
    story.put("a")
    story.put("b")
    story.node("n3", "killed").node("n3", "wiped")
    assert kinds(story.dump({"n1": {"k": ("b",)}, "n2": {"k": ("b",)}}).ended()) == ["lost-write"]


def test_the_last_round_outside_faults_stands_in_for_a_missing_final_one() -> None:
    """A dump taken during a fault never shows how the run ended."""
    story = Story()
    story.put("a")
    story.everywhere("a", round_name="handoff").everywhere(round_name="fault-9")
    verdict = check(story.ended())
    assert (verdict.answer, verdict.figures["round"]) == (Answer.VALID, "handoff")


@pytest.mark.parametrize(
    ("acknowledged", "dumped", "reason"), [(False, True, "no put was acknowledged"), (True, False, "no replica")]
)
def test_nothing_promised_or_nothing_seen_is_unknown(acknowledged: bool, dumped: bool, reason: str) -> None:
    """Without a promise or without dumps there is nothing to compare."""
    story = Story()
    story.put("a", outcome=OK if acknowledged else UNKNOWN)
    if dumped:
        story.everywhere("a")
    verdict = check(story.ended())
    assert verdict.answer is Answer.UNKNOWN
    assert reason in verdict.reason


def test_a_context_that_the_history_does_not_have_is_unknown() -> None:
    """Whoever does not know what a put had seen cannot say what it overwrote."""
    story = Story()
    story.put("a")
    story.put("b", after="c9.99")
    verdict = check(story.everywhere("b").ended())
    assert (verdict.answer, "c9.99" in verdict.reason) == (Answer.UNKNOWN, True)


def test_keys_are_judged_apart() -> None:
    """The same value under another key keeps nothing, and a context of another key covers nothing."""
    story = Story()
    first = story.put("a", key="k")
    story.put("a", key="other", after=first)
    verdict = check(story.everywhere("a", key="other").ended())
    assert [(finding.kind, finding.key) for finding in verdict.findings] == [("lost-write", "k")]


def test_a_context_of_another_key_covers_nothing() -> None:
    """A context is sealed to its key, even where both keys have had the same value."""
    story = Story()
    story.put("a", key="x")
    story.put("a", key="y")
    story.put("b", key="y", after=story.get("a", key="x"))
    held = {"x": ("a",), "y": ("b",)}
    verdict = check(story.dump({"n1": held, "n2": held, "n3": held}).ended())
    assert [(finding.kind, finding.key) for finding in verdict.findings] == [("lost-write", "y")]


def test_the_final_round_decides_whatever_was_dumped_after_it() -> None:
    """A round is named for its occasion, not for its place."""
    story = Story()
    story.put("a")
    assert kinds(story.everywhere().everywhere("a", round_name="afterwards").ended()) == ["lost-write"]


def test_a_value_written_twice_raises_no_alarm_that_one_put_does_not_deserve() -> None:
    """Where values are not unique, "a" beside "b" may be the second "a", which nobody covered."""
    story = Story()
    story.put("a")
    story.put("b", after=story.get("a"))
    story.put("a")
    assert check(story.everywhere("a", "b").ended()).answer is Answer.VALID


def test_findings_are_cut_fairly_and_counted_fully() -> None:
    """Twenty losses do not hide the one phantom, and none of them goes uncounted."""
    story = Story()
    for number in range(20):
        story.put(f"v{number}")
    verdict = check(story.everywhere("ghost").ended())
    assert (verdict.found, len(verdict.findings)) == (21, 10)
    assert "phantom" in [finding.kind for finding in verdict.findings]
    assert all(len(finding.evidence) <= 25 for finding in verdict.findings)


def test_evidence_concerns_the_lost_value_only() -> None:
    """Operations on other keys and unrelated values of the same key are not in the way of the reader."""
    story = Story()
    lost = story.put("a")
    others = [story.put(f"x{number}", key="other") for number in range(5)]
    unrelated = story.put("b")
    story.dump({node: {"k": ("b",), "other": tuple(f"x{i}" for i in range(5))} for node in story.nodes})
    operations = check(story.ended()).findings[0].operations
    assert operations == (lost,)
    assert not set(operations) & {*others, unrelated}
