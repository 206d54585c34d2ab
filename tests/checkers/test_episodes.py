"""Faults are put together from records of which only the known form is believed."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.episodes import Episode, episodes
from tests.checkers.story import Story


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
