"""Planted bug: nobody stands in for a primary that is down.

What is wrong: a side of a cut with W nodes in good order takes no writes, because they are not the right nodes: "always
writeable" (Dynamo, 2.3) needs a sloppy quorum. The idea is hazard H04, Riak's `pw` where `w` was asked for.
"""

from __future__ import annotations

from typing import Any

from node.core.candidates import Assignment, Candidates
from node.core.node import Node
from node.core.ring import Place
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "writable"
SEEDS = 5
OPTIONS: dict[str, Any] = {"nodes": 6, "w": 3, "keys": 3}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_fallback_answers_in_place_of_a_silent_primary",
    "test_a_fallback_is_not_repaired",
    "test_w_is_reached_with_a_fallback_that_holds_a_hint",
    "test_a_suspected_primary_is_not_asked_at_all",
    "test_a_fallback_that_fails_is_replaced_by_the_next_one",
    "test_a_late_confirmation_revives_the_peer_and_is_not_counted",
    "test_what_is_sent_carries_the_time_that_is_left",
    "test_a_peer_that_knows_another_ring_is_asked_again_and_no_fallback_for_it",
)


class StrictCandidates(Candidates):
    """The primaries, and nobody else."""

    def _stand_in(self, primary: str) -> Assignment | None:
        return None


class NODE(Node):
    """The node with the bug."""

    def candidates(self, place: Place, primaries: tuple[str, ...], coordinator: str | None = None) -> Candidates:
        """Whom to ask about a key of this partition: its primaries."""
        return StrictCandidates(primaries, place.preference, self.detector.is_up, coordinator)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
