"""Orders that should have been refused are told by the faults that gave them."""

from __future__ import annotations

from checkers.orders import check
from checkers.verdict import Answer
from tests.checkers.story import Story


def test_an_order_that_was_taken_is_a_finding() -> None:
    """With the fault that gave it, and to whom it was done."""
    told = {"n2": {"refused": False}, "unmet": ["n1 took the order to replace n2, which lives, by n6"]}
    story = Story().fault(3, "replace-alive", "requested", detail={"nodes": ["n2"]})
    verdict = check(story.fault(3, "replace-alive", "healed", delivered=True, observed=told).ended())
    assert verdict.answer is Answer.INVALID
    (finding,) = verdict.findings
    assert (finding.kind, finding.nodes) == ("order-taken", ("n2",))
    assert finding.summary == "n1 took the order to replace n2, which lives, by n6"
    assert finding.evidence == ("fault 3, replace-alive, from 0.010 s on",)


def test_under_another_fault_nobody_is_to_blame() -> None:
    """Whoever is cut off looks dead to who is asked."""
    cut = {"links": ["n1>n2"]}
    story = Story().fault(1, "partition-isolate", "requested", detail=cut).fault(1, "partition-isolate", "started")
    story.fault(2, "replace-alive", "requested", detail={"nodes": ["n2"]})
    story.fault(2, "replace-alive", "healed", delivered=True, observed={"unmet": ["n1 took it"]})
    assert check(story.ended()).answer is Answer.VALID


def test_no_sentence_is_no_finding() -> None:
    """Nor is anything that is none: what a fault writes down has no fixed form."""
    nothing: tuple[dict[str, object], ...] = ({}, {"unmet": []}, {"unmet": "nothing"}, {"n2": {"refused": True}})
    for observed in nothing:
        story = Story().fault(1, "replace-alive", "healed", delivered=True, observed=observed)
        assert check(story.ended()).answer is Answer.VALID
