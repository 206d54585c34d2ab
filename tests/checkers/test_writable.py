"""Writes are accepted wherever and whenever they have to be."""

from __future__ import annotations

import pytest

from checkers.history import Completed, History, Outcome
from checkers.verdict import Answer, Verdict
from checkers.writable import check
from tests.checkers.story import FAILED, OK, UNKNOWN, Story

FIVE = ("n1", "n2", "n3", "n4", "n5")
SIDES = {"sides": [["n1", "n2"], ["n3", "n4", "n5"]]}


def _cut(
    small: Outcome, *, tries: int = 10, lasting: float = 5.0, sides: dict[str, list[list[str]]] = SIDES, hurt: str = ""
) -> History:
    """Tell a cut in which the smaller side's puts all end one way, and the larger side's are accepted."""
    story = Story(FIVE).phase("stress").fault(1, "partition", "started", detail=sides)
    if hurt == "killed":
        story.node("n1", "killed")
    elif hurt:
        story.fault(2, hurt, "started", detail={"links": ["n1>n2"]} if hurt == "partition" else {"nodes": ["n1"]})
    for number in range(tries):
        story.put(f"s{number}", node=sides["sides"][0][number % len(sides["sides"][0])], outcome=small)
        story.put(f"l{number}", node="n3")
    return story.wait(lasting).fault(1, "partition", "healed", delivered=True).ended()


def test_a_side_with_w_nodes_that_accepts_nothing_is_convicted() -> None:
    """Two of five nodes can take a write with W=2, whoever the primaries are."""
    verdict = check(_cut(UNKNOWN))
    assert [(finding.kind, finding.nodes) for finding in verdict.findings] == [("not-writable", ("n1", "n2"))]


@pytest.mark.parametrize("small", [OK, UNKNOWN, FAILED])
def test_only_silence_is_convicted(small: Outcome) -> None:
    """The outcome of the refusals does not matter; a side that accepts is fine."""
    assert check(_cut(small)).answer is (Answer.VALID if small is OK else Answer.INVALID)


@pytest.mark.parametrize(
    "excuse",
    [{"tries": 9}, {"lasting": 0.1}, {"sides": {"sides": [["n1"], ["n3", "n4", "n5"]]}}],
    ids=["few-tries", "short", "small-side"],
)
def test_a_side_without_enough_time_tries_or_nodes_is_not(excuse: dict[str, object]) -> None:
    """No promise was made, or there was no time to keep it."""
    assert check(_cut(UNKNOWN, **excuse)).answer is Answer.VALID  # type: ignore[arg-type]


@pytest.mark.parametrize("hurt", ["killed", "pause", "partition"])
def test_a_side_that_was_hurt_twice_is_not_judged(hurt: str) -> None:
    """With a node down or a second cut through it, the side may have had no W nodes left."""
    assert check(_cut(UNKNOWN, hurt=hurt)).answer is Answer.VALID


def test_a_put_accepted_after_the_heal_was_not_accepted_during_the_cut() -> None:
    """It is counted as late; the side was silent for as long as the cut lasted."""
    story = Story(FIVE).phase("stress").fault(1, "partition", "started", detail=SIDES)
    puts = [story.put(f"v{number}", node="n1", answered=False) for number in range(10)]
    story.wait(5).fault(1, "partition", "healed", delivered=True)
    story.records += [Completed(at=story.now + 1, op=put, outcome=OK) for put in puts]
    verdict = check(story.ended())
    side = verdict.figures["cuts"][0]["sides"][0]
    assert (verdict.answer, side["late"], side["ok"]) == (Answer.INVALID, 10, 0)


def test_figures_tell_each_side_of_each_cut() -> None:
    """Size, tries, outcomes, the first acceptance, keys on both sides, traffic, and keys that differed at the heal."""
    story = Story(FIVE).phase("stress").fault(1, "partition", "started", detail=SIDES)
    story.put("a", key="x", node="n1")
    story.put("b", key="x", node="n3")
    story.put("c", key="y", node="n4", outcome=FAILED)
    story.put("d", key="y", node="n2", outcome=UNKNOWN)
    story.dump({"n1": {"x": ("a",)}, "n2": {"x": ("a",)}, "n3": {"x": ("b",)}}, "fault-1")
    seen = {"n1>n3": {"seen": 3, "dropped": 2}, "n3>n1": {"seen": 0, "dropped": 0}}
    cut = check(story.fault(1, "partition", "healed", delivered=True, observed=seen).ended()).figures["cuts"][0]
    small, large = cut["sides"]
    assert (small["size"], small["tried"], small["ok"], small["unknown"]) == (2, 2, 1, 1)
    assert (large["size"], large["tried"], large["ok"], large["failed"]) == (3, 2, 1, 1)
    assert (small["first_ok_ns"], large["first_ok_ns"]) == (20_000_000, 40_000_000)
    assert (cut["keys_on_both"], cut["keys_differing"]) == (1, 1)
    assert (cut["links"], cut["links_with_traffic"], cut["seen"], cut["dropped"]) == (2, 1, 3, 2)


def test_overlapping_cuts_count_the_same_put_each() -> None:
    """A put during two cuts is on a side of both."""
    story = Story(FIVE).phase("stress").fault(1, "partition", "started", detail=SIDES)
    story.fault(2, "partition", "started", detail={"sides": [["n1"], ["n2", "n3"]]})
    story.put("a", node="n1")
    story.fault(1, "partition", "healed").put("b", node="n1")
    cuts = check(story.fault(2, "partition", "healed").ended()).figures["cuts"]
    assert [cut["sides"][0]["tried"] for cut in cuts] == [1, 2]


def _calm(outcome: Outcome, story: Story, *, tries: int = 10) -> Answer:
    for number in range(tries):
        story.put(f"v{number}", outcome=outcome)
    return check(story.phase("heal").ended()).answer


def _mixed(ok: int, refused: int, outcome: Outcome, error: str | None = None) -> Verdict:
    """Judge a calm in which n1 took some puts and n2 did not take others."""
    story = Story().phase("stress")
    for number in range(ok):
        story.put(f"v{number}")
    for number in range(refused):
        put = story.put(f"r{number}", node="n2", answered=False)
        story.records.append(Completed(at=story.now + 1, op=put, outcome=outcome, error=error))
    return check(story.phase("heal").ended())


@pytest.mark.parametrize(
    ("ok", "refused", "outcome", "convicted"),
    [
        (6, 4, FAILED, []),  # ten are too few for a share, and four for a node
        (1, 5, FAILED, ["refusing-node"]),
        (18, 2, FAILED, ["refused-in-calm"]),
        (19, 1, FAILED, []),  # one in twenty may be refused
        (80, 18, FAILED, ["refused-in-calm", "refusing-node"]),
        (10, 10, UNKNOWN, []),  # half may stay unanswered
        (9, 11, UNKNOWN, ["refused-in-calm"]),
        (5, 5, UNKNOWN, []),
        (0, 10, UNKNOWN, ["refused-in-calm"]),
    ],
)
def test_a_few_refusals_in_calm_are_allowed_and_many_are_not(
    ok: int, refused: int, outcome: Outcome, convicted: list[str]
) -> None:
    """Of twenty or more puts one in twenty may be refused and half unanswered; one accepted put saves nobody, and a
    node that refuses all of five is none that works.
    """
    verdict = _mixed(ok, refused, outcome)
    assert verdict.answer is (Answer.INVALID if convicted else Answer.VALID)
    assert [finding.kind for finding in verdict.findings] == convicted


def test_the_evidence_of_refusals_names_the_node_that_refused() -> None:
    """Whoever accepted is not accused."""
    finding = _mixed(30, 9, FAILED, "shutting-down: n2 is shutting down").findings[0]
    assert finding.summary == "9 of 39 puts were refused (23.1%; 5% may be) while nothing was wrong"
    assert finding.nodes == ("n2",)
    assert finding.evidence[0] == "n2 did not accept 9 of 9"
    assert len(finding.operations) == 9


@pytest.mark.parametrize("error", ["too-large: 2 MB", "bad-request: no key", "bad-context: foreign", "not sent: late"])
def test_a_put_that_fails_for_a_reason_of_its_own_does_not_count(error: str) -> None:
    """Any store refuses it, and of what was not sent no store has heard."""
    assert _mixed(20, 20, FAILED, error).answer is Answer.VALID
    assert _mixed(0, 20, FAILED, error).answer is Answer.UNKNOWN
    assert _mixed(20, 20, FAILED, f"expired ({error})").answer is Answer.INVALID
    assert _mixed(20, 2, UNKNOWN, error).figures["calm"]["tried"] == (20 if error.startswith("not sent") else 22)


@pytest.mark.parametrize("end", ["started", "failed"])
def test_a_fault_is_an_excuse_from_its_request(end: str) -> None:
    """A node that is asked to leave refuses before it is gone, also where leaving then fails."""
    story = Story().phase("stress").fault(1, "restart", "requested", detail={"nodes": ["n1"]})
    for number in range(20):
        story.put(f"v{number}", outcome=FAILED)
    story.fault(1, "restart", end)
    assert check(story.ended()).answer is Answer.UNKNOWN
    if end == "failed":
        assert _calm(FAILED, story.wait(2.1)) is Answer.INVALID


def test_nothing_accepted_while_nothing_is_wrong_is_convicted() -> None:
    """Always writeable means at least when all is well."""
    assert _calm(FAILED, Story().phase("stress")) is Answer.INVALID
    assert _calm(OK, Story().phase("stress")) is Answer.VALID


@pytest.mark.parametrize("trouble", ["fault", "just-healed", "down", "just-back", "load"])
def test_trouble_excuses_refusals(trouble: str) -> None:
    """During a fault, with a node away, two seconds after either, and before the stress begins."""
    story = Story().phase("load" if trouble == "load" else "stress")
    if trouble in ("fault", "just-healed"):
        story.fault(1, "pause", "started", detail={"nodes": ["n1"]})
    if trouble == "just-healed":
        story.fault(1, "pause", "healed")
    if trouble in ("down", "just-back"):
        story.node("n1", "killed")
    if trouble == "just-back":
        story.node("n1", "started")
    assert _calm(FAILED, story) is Answer.UNKNOWN


def test_two_seconds_after_the_heal_there_is_no_excuse() -> None:
    """The nodes had time to find each other again."""
    story = Story().phase("stress").fault(1, "pause", "started").fault(1, "pause", "healed").wait(2.1)
    assert _calm(FAILED, story) is Answer.INVALID


def test_without_puts_nothing_is_said() -> None:
    """A run that only reads proves nothing about writes."""
    story = Story().phase("stress")
    story.get()
    assert check(story.ended()).answer is Answer.UNKNOWN


def test_shares_are_told_by_phase() -> None:
    """Load and stress are counted apart."""
    story = Story().phase("load")
    story.put("a")
    story.phase("stress").put("b")
    story.put("c", outcome=UNKNOWN)
    phases = check(story.ended()).figures["by_phase"]
    assert {name: phase["share"] for name, phase in phases.items()} == {"load": 1.0, "stress": 0.5}
