"""Replicas agree in the end, or there is a reason why we cannot tell."""

from __future__ import annotations

import pytest

from checkers.convergence import check
from checkers.verdict import Answer
from tests.checkers.story import Story


def _agreeing() -> Story:
    return Story().everywhere("a", "b")


def test_agreeing_replicas_are_valid() -> None:
    """Equal sets on all primaries, no hint left, quiet."""
    assert check(_agreeing().settled().ended()).answer is Answer.VALID


def test_the_order_of_siblings_means_nothing() -> None:
    """Replicas hold sets."""
    story = Story().dump({"n1": {"k": ("a", "b")}, "n2": {"k": ("b", "a")}, "n3": {"k": ("a", "b")}})
    assert check(story.settled().ended()).answer is Answer.VALID


@pytest.mark.parametrize("third", [{}, {"k": ("a",)}, {"k": ("other-dot=b", "a")}])
def test_a_replica_that_differs_is_convicted(third: dict[str, tuple[str, ...]]) -> None:
    """A missing key, a missing version and another dot for the same value are all differences."""
    story = Story().dump({"n1": {"k": ("a", "b")}, "n2": {"k": ("a", "b")}, "n3": third})
    verdict = check(story.settled().ended())
    assert [finding.kind for finding in verdict.findings] == ["diverged"]
    assert any(line.startswith("n3 holds") for line in verdict.findings[0].evidence)


def test_a_hint_that_is_left_is_convicted() -> None:
    """Its target was there to take it."""
    story = Story().dump({"n1": {"k": ("a",)}, "n2": {"k": ("a",), "k>n3": ("a",)}, "n3": {"k": ("a",)}})
    verdict = check(story.settled().ended())
    assert [(finding.kind, finding.nodes) for finding in verdict.findings] == [("hint-left", ("n2", "n3"))]


def test_a_hint_that_nobody_will_take_says_so() -> None:
    """Its target lost its disk and never came back, or was ordered out of the ring; it was not there."""
    held = {"n1": {"k": ("a",)}, "n2": {"k": ("a",), "k>n3": ("a",)}}
    dead = Story().node("n3", "killed").node("n3", "wiped").dump(held)
    assert _left(dead) == "n2 still holds a hint of k for n3, which never came back"
    states = {"n1": "valid", "n2": "valid", "n3": "left"}
    assert _left(Story().everywhere("a").dump(held).ring(states)).endswith("for n3, which is no member any more")
    assert _left(Story().everywhere("a").dump(held)).endswith("for n3, which was there to take it")


def _left(story: Story) -> str:
    findings = check(story.settled().ended()).findings
    return next(finding.summary for finding in findings if finding.kind == "hint-left")


def test_a_hint_is_not_the_holders_own_copy() -> None:
    """A primary that keeps a version for another does not hold it for itself."""
    story = Story().dump({"n1": {"k": ("a",)}, "n2": {"k>n3": ("a",)}, "n3": {"k": ("a",)}})
    kinds = [finding.kind for finding in check(story.settled().ended()).findings]
    assert kinds == ["diverged", "hint-left"]


@pytest.mark.parametrize(
    ("state", "answer"), [("quiet", Answer.INVALID), ("moving", Answer.UNKNOWN), ("stuck", Answer.INVALID)]
)
def test_what_differs_while_still_draining_is_unknown(state: str, answer: Answer) -> None:
    """Time would have cured it, perhaps; stuck work is cured by no time."""
    story = Story().dump({"n1": {"k": ("a",)}, "n2": {}, "n3": {"k": ("a",)}})
    assert check(story.settled(state).ended()).answer is answer


def test_stuck_is_invalid_even_when_replicas_agree() -> None:
    """Open work that does not shrink is a promise that will not be kept, and the finding names whose it is."""
    verdict = check(_agreeing().settled("stuck").ended())
    assert [(finding.kind, finding.nodes) for finding in verdict.findings] == [("stuck", ("n1",))]
    assert verdict.findings[0].evidence == ("n1: 2 hints",)


def test_the_last_wait_decides() -> None:
    """A wait that ended too early is made good by a later one."""
    story = _agreeing().settled("moving", "handoff").settled("quiet")
    assert check(story.ended()).answer is Answer.VALID


def test_a_primary_that_could_not_be_dumped_is_unknown() -> None:
    """Nobody looked, so nobody can say that it agrees; its hints and the work for it are excused."""
    story = Story().dump({"n1": {"k": ("a",)}, "n2": {"k": ("a",), "k>n3": ("a",)}})
    for state in ("quiet", "stuck"):
        verdict = check(story.branch().settled(state).ended())
        assert (verdict.answer, "n3" in verdict.reason) == (Answer.UNKNOWN, True)


def test_a_missing_node_does_not_excuse_the_others() -> None:
    """Two primaries that were there and differ have not converged."""
    story = Story().dump({"n1": {"k": ("a",)}, "n2": {"k": ("b",)}})
    assert check(story.settled().ended()).answer is Answer.INVALID


@pytest.mark.parametrize(
    "story", [Story().settled(), Story().everywhere("a", round_name="handoff").settled(), _agreeing()]
)
def test_without_final_dumps_or_a_wait_nothing_is_said(story: Story) -> None:
    """Before everything was read with repair, or before anybody waited, a difference may only be late."""
    assert check(story.ended()).answer is Answer.UNKNOWN


def test_keys_are_counted_by_what_made_them_agree() -> None:
    """Equal before repair is handoff's; unequal or missing before, and equal after, is repair's."""
    story = Story()
    story.dump({"n1": {"x": ("1",), "y": ("1",)}, "n2": {"x": ("1",)}, "n3": {"x": ("1",)}}, "handoff")
    same = {"x": ("1",), "y": ("1",), "z": ("1",)}
    story.dump({"n1": {**same, "w": ("1",)}, "n2": same, "n3": same})
    figures = check(story.settled().ended()).figures
    assert [figures[name] for name in ("by_handoff", "by_repair", "not_at_all")] == [1, 2, 1]
    assert figures["share_by_handoff"] == 0.25


def test_keys_that_differed_at_a_heal_are_counted_by_fault() -> None:
    """A dumped node without the key holds the empty set; a node that was not dumped is not counted against it."""
    story = Story().fault(4, "partition", "started").fault(5, "kill", "started")
    story.dump({"n1": {"x": ("1",), "y": ("1",)}, "n2": {"y": ("1",)}, "n3": {"y": ("1",)}}, "fault-4")
    story.dump({"n1": {"x": ("1",)}, "n2": {"x": ("1",)}}, "fault-5")
    assert check(story.ended()).figures["differed_at_heal"] == {"4": 1, "5": 0}


def test_how_long_quiet_took_is_the_sum_of_the_waits() -> None:
    """It is only known when it became quiet."""
    story = _agreeing().settled("quiet", "handoff", waited=1.0)
    assert check(story.branch().settled(waited=0.5).ended()).figures["to_quiet_ns"] == 1_500_000_000
    assert check(story.settled("moving").ended()).figures["to_quiet_ns"] is None


def test_nodes_that_disagree_about_the_ring_are_convicted() -> None:
    """Equal replicas on two preference lists are not one set of replicas."""
    import msgspec

    story = _agreeing()
    last = story.records[-1]
    held = tuple(msgspec.structs.replace(h, primaries=("n1", "n2", "n4")) for h in last.held)  # type: ignore[union-attr]
    story.records[-1] = msgspec.structs.replace(last, held=held)
    assert "ring-differs" in [finding.kind for finding in check(story.settled().ended()).findings]
