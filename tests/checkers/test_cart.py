"""What counts as lost from a cart, and what does not: adds are never lost, deleted items can resurface (4.4)."""

from __future__ import annotations

import pytest

from checkers.cart import check
from checkers.history import Ack, History
from checkers.kept_writes import check as check_kept_writes
from checkers.verdict import Answer
from tests.checkers.story import FAILED, OK, UNKNOWN, Story


def kinds(history: History) -> list[str]:
    """The kinds of what was found, in order."""
    return [finding.kind for finding in check(history).findings]


def test_an_add_that_is_in_no_cart_is_lost() -> None:
    """The evidence names the add, who promised it, who saw it, and what each replica holds instead."""
    story = Story()
    add = story.put("a:a", acks=(Ack(node="n2"), Ack(node="n3", hint_for="n1")))
    seen = story.get("a:a")
    story.put("b:b")
    verdict = check(story.everywhere("b:b").ended())
    assert verdict.answer is Answer.INVALID
    (finding,) = verdict.findings
    assert (finding.kind, finding.key, finding.operations) == ("lost-item", "k", (add, seen))
    assert f"{add} put item a into cart k, acknowledged by n2, n3 (hint for n1)" in finding.summary
    assert [f"{node} holds b:b" in finding.evidence for node in ("n1", "n2", "n3")] == [True] * 3
    assert not any("taken out" in line for line in finding.evidence)


def test_an_item_is_kept_by_whoever_carries_it_on() -> None:
    """The put that added it may be gone, if the item went into a cart that is held."""
    story = Story()
    story.put("a:a")
    story.put("b:a,b", after=story.get("a:a"))
    verdict = check(story.everywhere("b:a,b").ended())
    assert verdict.answer is Answer.VALID
    assert (verdict.figures["added"], verdict.figures["present"], verdict.figures["largest"]) == (2, 2, 2)


def test_items_are_looked_for_in_all_siblings() -> None:
    """And in hints and strays: a cart is the union of everything that is held of it."""
    story = Story()
    story.put("a:a")
    story.put("b:b")
    assert check(story.branch().everywhere("a:a", "b:b").ended()).answer is Answer.VALID
    apart = story.dump({"n1": {"k": ("a:a",)}, "n2": {"k>n3": ("b:b",)}, "n3": {}})
    assert check(apart.ended()).answer is Answer.VALID


@pytest.mark.parametrize("outcome", [OK, UNKNOWN])
def test_an_item_that_was_taken_out_is_not_lost(outcome: object) -> None:
    """By a put that took effect: it read the item, its cart has it no more, and that cart is held."""
    story = Story()
    story.put("a:a")
    story.put("b:", after=story.get("a:a"), outcome=OK if outcome is OK else UNKNOWN)
    verdict = check(story.everywhere("b:").ended())
    assert verdict.answer is Answer.VALID
    assert verdict.figures["removed"] == 1


def test_a_removal_counts_when_something_that_is_held_covers_it() -> None:
    """It was overwritten by somebody who had seen it."""
    story = Story()
    story.put("a:a")
    story.put("b:", after=story.get("a:a"))
    story.put("c:c", after=story.get("b:"))
    assert check(story.everywhere("c:c").ended()).answer is Answer.VALID


@pytest.mark.parametrize("outcome", [OK, UNKNOWN, FAILED])
def test_a_removal_that_left_no_trace_excuses_nothing(outcome: object) -> None:
    """Whatever was answered to it; the evidence names it all the same."""
    story = Story()
    story.put("a:a")
    given = next(each for each in (OK, UNKNOWN, FAILED) if each is outcome)
    removal = story.put("b:", after=story.get("a:a"), outcome=given)
    story.put("c:c")
    (finding,) = check(story.everywhere("c:c").ended()).findings
    assert finding.kind == "lost-item"
    assert removal in finding.operations
    assert any(line.startswith(f"taken out by {removal} ({given.value})") for line in finding.evidence)


def test_a_put_that_did_not_read_the_item_has_not_taken_it_out() -> None:
    """A cart without the item is no removal, if its client had never seen it."""
    story = Story()
    story.put("a:a")
    story.put("b:b", after=story.get())
    assert kinds(story.everywhere("b:b").ended()) == ["lost-item"]


def test_deleted_items_can_resurface() -> None:
    """A removal that was acknowledged, and the item is back through a concurrent add: counted, and allowed."""
    story = Story()
    story.put("a:a")
    one, two = story.get("a:a"), story.get("a:a")
    story.put("b:", after=one)
    story.put("c:a,c", after=two)
    verdict = check(story.everywhere("b:", "c:a,c").ended())
    assert verdict.answer is Answer.VALID
    assert verdict.figures["resurfaced"] == 1
    assert any("they resurfaced, as they may" in note for note in verdict.notes)


def test_a_lost_removal_costs_no_item() -> None:
    """It is a lost write, which is for `kept-writes` to say."""
    story = Story()
    story.put("a:a")
    story.put("b:", after=story.get("a:a"))
    history = story.everywhere("a:a").ended()
    assert check(history).answer is Answer.VALID
    assert check_kept_writes(history).answer is Answer.INVALID


def test_nothing_was_promised_about_an_unknown_add() -> None:
    """It may be there or not, and is counted."""
    story = Story()
    story.put("a:a")
    story.put("b:b", outcome=UNKNOWN)
    story.put("c:c", outcome=UNKNOWN)
    verdict = check(story.everywhere("a:a", "c:c").ended())
    assert verdict.answer is Answer.VALID
    assert (verdict.figures["unknown"], verdict.figures["unknown_present"]) == (2, 1)


def test_an_item_that_nobody_added_is_a_phantom() -> None:
    """From nowhere, out of another cart, or by an add that certainly failed."""
    story = Story()
    story.put("a:a")
    story.put("x:x", key="other")
    story.put("b:b", outcome=FAILED)
    history = story.dump({node: {"k": ("a:a", "g:b,x"), "other": ("x:x",)} for node in story.nodes}).ended()
    verdict = check(history)
    assert [(finding.kind, finding.key) for finding in verdict.findings] == [("phantom-item", "k")] * 2
    assert "b is in cart k on n1, n2, n3, but was put in only by c1.3, which certainly" in verdict.findings[0].summary
    assert "x is in cart k on n1, n2, n3, but was put in by no put" in verdict.findings[1].summary


def test_what_was_not_dumped_may_hold_what_is_missing() -> None:
    """A node that is away makes it unknown; one whose disk was emptied holds nothing, and excuses nothing."""
    story = Story()
    story.put("a:a")
    away = story.branch().dump({"n1": {}, "n2": {}})
    verdict = check(away.ended())
    assert (verdict.answer, verdict.figures["undecided"]) == (Answer.UNKNOWN, 1)
    assert "n3 could not be dumped" in verdict.reason
    emptied = story.node("n3", "killed").node("n3", "wiped").dump({"n1": {}, "n2": {}})
    assert kinds(emptied.ended()) == ["lost-item"]


def test_it_says_unknown_where_it_cannot_judge() -> None:
    """No add was acknowledged, nothing was dumped, or what was written are no carts."""
    nothing = Story()
    nothing.put("a:a", outcome=UNKNOWN)
    assert check(nothing.branch().everywhere("a:a").ended()).reason.startswith("no add was acknowledged")
    assert check(nothing.ended()).reason == "no replica was dumped at the end"
    for value in ("v1", "sha256:0123"):
        other = Story()
        other.put(value)
        verdict = check(other.everywhere(value).ended())
        assert (verdict.answer, verdict.reason) == (Answer.UNKNOWN, f"{value} is not a cart: OPERATION:item,item")


def test_a_cart_that_lies_astray_keeps_no_item() -> None:
    """No reader finds it on a node that is not a primary; and an item that nobody added is wrong there, too."""
    story = Story(("n1", "n2", "n3", "n4"))
    story.put("c1.1:c1.1", key="cart")
    story.put("c1.2:c1.2", key="cart")
    held = {"cart": ("c1.2:c1.2",)}
    story.dump({"n1": held, "n2": held, "n3": held, "n4": {"cart": ("c1.1:c1.1", "x:ghost")}})
    verdict = check(story.ended())
    assert sorted(finding.kind for finding in verdict.findings) == ["lost-item", "phantom-item"]
    assert all("n4, not a primary, holds c1.1:c1.1, x:ghost" in finding.evidence for finding in verdict.findings)
