"""A run that proves nothing is unknown, and says why; it is never invalid."""

from __future__ import annotations

import pytest

from checkers.history import History
from checkers.vacuity import check
from checkers.verdict import Answer
from tests.checkers.story import UNKNOWN, Story


def _full(story: Story, *, puts: int = 10, gets: int = 10, timeouts: int = 0) -> Story:
    for number in range(puts):
        story.put(f"v{number}")
    for _ in range(gets):
        story.get("v0")
    for number in range(timeouts):
        story.put(f"t{number}", outcome=UNKNOWN)
    return story


def _why(history: History) -> list[str]:
    verdict = check(history)
    assert verdict.answer is (Answer.UNKNOWN if verdict.findings else Answer.VALID)
    return [finding.kind for finding in verdict.findings]


def test_enough_of_everything_is_valid() -> None:
    """A fault that was delivered, ten puts, ten gets, a dump and an end."""
    story = Story(faults=("kill",)).fault(1, "kill", "requested").fault(1, "kill", "started")
    story = _full(story.fault(1, "kill", "healed", delivered=True))
    assert _why(story.everywhere("v0").ended()) == []


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([], "never-started"),
        ([("requested", None)], "never-started"),
        ([("requested", None), ("failed", None)], "never-started"),
        ([("started", None)], "never-delivered"),
        ([("started", None), ("healed", False)], "never-delivered"),
        ([("started", None), ("failed", True)], "never-delivered"),
    ],
)
def test_a_fault_that_was_never_seen_proves_nothing(events: list[tuple[str, bool | None]], kind: str) -> None:
    """Enabled, requested, started: each is worth nothing until its effect was observed and it was healed."""
    story = _full(Story(faults=("kill",)))
    for event, delivered in events:
        story.fault(1, "kill", event, delivered=delivered)
    assert _why(story.everywhere("v0").ended()) == [kind]


def test_one_delivery_of_a_kind_is_enough() -> None:
    """A schedule draws many; the last may come when nobody speaks."""
    story = _full(Story())
    for id_, delivered in ((1, True), (2, False)):
        story.fault(id_, "kill", "started").fault(id_, "kill", "healed", delivered=delivered)
    assert _why(story.everywhere("v0").ended()) == []


@pytest.mark.parametrize(("seen", "dropped", "kinds"), [(5, 0, ["cut-nothing"]), (0, 0, []), (5, 5, [])])
def test_a_cut_link_that_carried_traffic_must_have_dropped_some(seen: int, dropped: int, kinds: list[str]) -> None:
    """Each link counts: a cut that was delivered on one link may be missing on another."""
    story = _full(Story()).fault(1, "partition", "started", detail={"links": ["n1>n2", "n2>n1"]})
    observed = {"n1>n2": {"seen": seen, "dropped": dropped}, "n2>n1": {"seen": 4, "dropped": 4}}
    story.fault(1, "partition", "healed", delivered=True, observed=observed)
    assert _why(story.everywhere("v0").ended()) == kinds


@pytest.mark.parametrize(("puts", "gets", "found"), [(10, 10, 0), (9, 10, 1), (10, 9, 1), (0, 0, 3)])
def test_too_little_success_proves_nothing(puts: int, gets: int, found: int) -> None:
    """Ten puts and ten gets, and a twentieth of all operations, is the least."""
    story = _full(Story(), puts=puts, gets=gets, timeouts=1)
    assert _why(story.everywhere("v0").ended()) == ["too-little"] * found


def test_a_small_share_of_success_proves_nothing() -> None:
    """Twenty successes among hundreds of timeouts say more about the timeouts."""
    assert _why(_full(Story(), timeouts=400).everywhere("v0").ended()) == ["too-little"]


def test_no_dump_no_end_and_an_interruption_are_each_named() -> None:
    """Others may still judge what is there; here it is said that it is not the whole."""
    assert _why(_full(Story()).ended()) == ["no-dump"]
    assert _why(_full(Story()).everywhere("v0", round_name="fault-1").ended()) == ["no-dump"]
    assert _why(_full(Story()).everywhere("v0").told()) == ["interrupted"]
    verdict = check(_full(Story()).everywhere("v0").ended("SIGTERM"))
    assert verdict.reason == "the run was interrupted: SIGTERM"


@pytest.mark.parametrize(("drawn", "bites", "kinds"), [(True, True, []), (False, True, ["never-delivered"])])
def test_where_everything_is_drawn_a_fault_may_bite_nothing(drawn: bool, bites: bool, kinds: list[str]) -> None:
    """As long as another one did: of many seeds, some leave each fault without effect."""
    assert _why(_two_faults(drawn=drawn, bites=bites)) == kinds


def test_a_drawn_run_in_which_no_fault_bit_proves_nothing() -> None:
    """What was injected was not seen at all."""
    assert _why(_two_faults(drawn=True, bites=False)) == ["never-delivered", "never-delivered"]


def _two_faults(*, drawn: bool, bites: bool) -> History:
    story = Story(faults=("kill", "loss"), drawn=drawn)
    for number, name in enumerate(("kill", "loss"), start=1):
        story.fault(number, name, "requested").fault(number, name, "started")
        story.fault(number, name, "healed", delivered=bites and name == "kill")
    return _full(story).everywhere("v0").ended()
