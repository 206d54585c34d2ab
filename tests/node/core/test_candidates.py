"""Whom to ask: the first N healthy nodes of the preference list, and who stands in for whom (Dynamo, 4.6)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.candidates import Assignment, Candidates

LIST = ("a", "b", "c", "d", "e")
PRIMARIES, FALLBACKS = LIST[:3], LIST[3:]


def _candidates(*down: str, coordinator: str | None = None) -> Candidates:
    return Candidates(PRIMARIES, LIST, lambda node: node not in down, coordinator)


def test_all_up_are_the_primaries() -> None:
    """“The first N healthy nodes from the preference list” are the top N when those are healthy."""
    assert _candidates().first() == [Assignment("a"), Assignment("b"), Assignment("c")]


def test_the_next_healthy_node_stands_in_for_a_primary_that_is_down() -> None:
    """“If node A is temporarily down [...] then a replica that would normally have lived on A will now be sent to
    node D” (4.6); a primary that is up is asked before any that stands in.
    """
    assert _candidates("a").first() == [Assignment("b"), Assignment("c"), Assignment("d", "a")]
    assert _candidates("a", "d").first() == [Assignment("b"), Assignment("c"), Assignment("e", "a")]


def test_without_a_fallback_left_a_primary_believed_down_is_asked_all_the_same() -> None:
    """Beliefs may be out of date, and there is nothing better to do."""
    assert _candidates("a", "d", "e").first() == [Assignment("b"), Assignment("c"), Assignment("a")]


def test_a_coordinator_among_the_primaries_comes_first() -> None:
    """It keeps its copy before anybody else is asked."""
    assert _candidates(coordinator="b").first() == [Assignment("b"), Assignment("a"), Assignment("c")]


def test_a_coordinator_that_is_no_primary_stands_in_for_one_that_is_down() -> None:
    """It does not ask yet another node to stand in for the same one."""
    found = _candidates("b", coordinator="e").first()
    assert found == [Assignment("e", "b"), Assignment("a"), Assignment("c")]


def test_a_coordinator_stands_in_once() -> None:
    """For two primaries that are down it takes another node, and it is not asked in place of one that fails."""
    candidates = _candidates("a", "b", coordinator="d")
    assert candidates.first() == [Assignment("d", "a"), Assignment("c"), Assignment("e", "b")]
    assert candidates.instead_of(Assignment("c")) is None


def test_a_coordinator_that_is_no_primary_keeps_a_copy_even_when_all_primaries_are_up() -> None:
    """Its own write must lie somewhere; the primary that it keeps it for is asked as well."""
    found = _candidates(coordinator="d").first()
    assert found == [Assignment("d", "a"), Assignment("a"), Assignment("b"), Assignment("c")]


def test_whoever_fails_is_replaced_by_the_next_one_for_the_same_primary() -> None:
    """A fallback that fails is replaced in its turn, until there is none left."""
    candidates = _candidates()
    assert candidates.instead_of(Assignment("b")) == Assignment("d", "b")
    assert candidates.instead_of(Assignment("d", "b")) == Assignment("e", "b")
    assert candidates.instead_of(Assignment("e", "b")) is None


@settings(max_examples=400)
@given(
    st.permutations("abcdefg"),
    st.integers(1, 5),
    st.frozensets(st.sampled_from("abcdefg")),
    st.one_of(st.none(), st.sampled_from("abcdefg")),
    st.lists(st.integers(0, 20), max_size=8),
)
def test_candidates(
    preference: list[str], n: int, down: frozenset[str], coordinator: str | None, failures: list[int]
) -> None:
    """Whoever is down and whoever fails: nobody is asked twice, primaries come before fallbacks, every fallback stands
    in for a primary that could not be asked, and the coordinator holds a copy.
    """
    candidates = Candidates(tuple(preference[:n]), tuple(preference), lambda node: node not in down, coordinator)
    asked = candidates.first()
    primaries = preference[:n]

    others = [assignment for assignment in asked if assignment.node != coordinator]
    second_choice = [assignment.hint_for is not None or assignment.node in down for assignment in others]
    assert second_choice == sorted(second_choice), "healthy primaries come first"
    for assignment in asked:
        if assignment.hint_for is not None:
            assert assignment.hint_for in primaries
            assert assignment.node not in primaries
            assert assignment.node == coordinator or assignment.hint_for in down
    assert len({assignment.primary for assignment in asked}) == n, "every primary's place is taken"
    if coordinator is not None:
        assert asked[0].node == coordinator

    for failure in failures:
        failed = asked[failure % len(asked)]
        instead = candidates.instead_of(failed)
        if instead is not None:
            assert instead.primary == failed.primary
            assert instead.node not in down
            asked.append(instead)
    assert len({assignment.node for assignment in asked}) == len(asked), "nobody is asked twice"
