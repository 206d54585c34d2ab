"""Faults are put together from records of which only the known form is believed."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.episodes import Episode, downtimes, episodes, is_early
from checkers.history import History, NodeChanged
from tests.checkers.story import FAILED, Story


def _episode(**more: Any) -> Episode:
    (episode,) = episodes(Story().fault(1, "partition", "healed", **more).told())
    return episode


@pytest.mark.parametrize(
    ("counts", "traffic"),
    [
        ({"seen": 3, "dropped": 2}, (3, 2)),
        ({"seen": 3}, (3, 0)),
        ({"seen": 3, "dropped": "x"}, (3, 0)),
        ({"seen": "x", "dropped": 2}, None),
        ({"seen": "3"}, None),
        ({"seen": None}, None),
        ({"seen": 1.5}, None),
        ({"dropped": 2}, None),
        ("seen", None),
        (None, None),
    ],
)
def test_only_whole_numbers_are_traffic(counts: object, traffic: tuple[int, int] | None) -> None:
    """A history may come from anywhere, and a report of it is drawn outside of what guards the checkers."""
    told = _episode(observed={"n1>n2": counts}).traffic
    assert told == ({} if traffic is None else {"n1>n2": traffic})


@pytest.mark.parametrize("odd", [None, 5, "n1", {"n1": "n2"}, [3, None], [["n1"], 7]])
def test_what_is_no_list_of_names_says_nothing(odd: object) -> None:
    """Sides, victims and links are read as far as they are names."""
    episode = _episode(detail={"sides": odd, "nodes": odd, "links": odd})
    assert all(isinstance(name, str) for side in episode.sides for name in side)
    assert all(isinstance(name, str) for name in episode.victims)
    assert episode.links == ()


def test_links_are_read_in_their_direction() -> None:
    """The first node of a link is the one that is not heard."""
    assert _episode(detail={"links": ["n1>n2", "n2>n1", "odd"]}).links == (("n1", "n2"), ("n2", "n1"), ("odd", ""))


def _downtimes(*changes: tuple[int, str]) -> list[tuple[int, int | None]]:
    """From when to when n1 was away."""
    story = Story()
    records = [*story.told().records[:1], *(NodeChanged(at=at, node="n1", event=event) for at, event in changes)]
    return [(away.since, away.until) for away in downtimes(History(records))]


@pytest.mark.parametrize(
    ("changes", "away"),
    [
        ([(1, "started"), (5, "killed"), (8, "started")], [(5, 8)]),
        ([(1, "started"), (5, "paused"), (8, "resumed")], [(5, 8)]),
        ([(5, "paused"), (6, "killed"), (8, "resumed"), (9, "started")], [(5, 9)]),
        ([(5, "paused"), (6, "exited"), (9, "started")], [(5, 9)]),
        ([(5, "paused"), (8, "resumed"), (9, "killed"), (9, "wiped"), (12, "started")], [(5, 8), (9, 12)]),
        ([(5, "paused")], [(5, None)]),
        ([(5, "exited"), (6, "exited")], [(5, None)]),
        ([(5, "resumed"), (6, "started")], []),
    ],
)
def test_a_node_is_away_while_it_is_dead_or_frozen(
    changes: list[tuple[int, str]], away: list[tuple[int, int | None]]
) -> None:
    """One that dies in its sleep is not back before it has been started."""
    assert _downtimes(*changes) == away


def test_a_spare_that_was_not_started_yet_is_early() -> None:
    """Whoever asks it is refused by right; later, and of all others, it is another matter."""
    story = Story(spares=("n4", "n5"))
    story.put("v", node="n4", outcome=FAILED)
    story.put("v", node="n1")
    story.node("n4", "started")
    story.put("v", node="n4")
    story.put("v", node="n5", outcome=FAILED)
    history = story.ended()
    assert [is_early(history, operation) for operation in history.operations] == [True, False, False, True]
