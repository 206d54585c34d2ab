"""Planted bug: reads go to the new owner of a seat from the moment on that it is to have it.

What is wrong: it has not got what it is to keep, and says that there is nothing. The idea is hazard H10: reads sent to
a new owner before it has the data.
"""

from __future__ import annotations

from typing import Any

from node.core.candidates import Candidates
from node.core.node import Node
from node.core.ring import Place
from node.runtime.main import main

SCENARIO = "join_under_load"
CHECKER = "found"
SEEDS = 2
OPTIONS: dict[str, Any] = {"r": 1, "w": 3, "time_limit_s": 11.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_who_is_about_to_sit_there_is_not_read",
    "test_the_giver_is_read_until_the_seat_has_passed_on",
)


class NODE(Node):
    """The node with the bug."""

    def candidates(self, place: Place, primaries: tuple[str, ...], coordinator: str | None = None) -> Candidates:
        """Whom to ask: a read has no coordinator, and goes to those who will sit there."""
        return super().candidates(place, place.after if coordinator is None else primaries, coordinator)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
