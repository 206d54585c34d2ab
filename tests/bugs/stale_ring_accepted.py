"""Planted bug: what a peer asks for is done, whichever ring it knows.

What is wrong: somebody who has missed a switch reads where nothing is kept any more, and writes to those who have left;
nobody tells it. The idea is hazard H09: a request of an older epoch has to be answered with the newer ring (Scylla's
test_fencing).
"""

from __future__ import annotations

from typing import Any

from node.core.hearing import Hearing
from node.core.messages import Gossip, PeerMessage
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "join_under_load"
CHECKER = "found"
SEEDS = 2
OPTIONS: dict[str, Any] = {"r": 1, "w": 3, "time_limit_s": 11.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_forward_that_was_refused_for_the_ring_is_not_taken_up_late",
    "test_a_giver_that_has_given_says_so_and_the_reader_asks_the_taker",
    "test_nothing_is_done_for_who_knows_another_ring",
    "test_who_is_back_while_seats_are_gathered_is_asked_too",
    "test_the_digest_goes_with_every_message",
    "test_who_asks_under_another_ring_is_told_and_both_know_the_same",
)


class LenientHearing(Hearing):
    """A hearing that takes every ring for its own."""

    def heard(self, source: str, message: PeerMessage, ring: str) -> None:
        """Do it, whatever ring it was sent under."""
        super().heard(source, message, ring if type(message) is Gossip else self._node.ring.digest)


class NODE(Node):
    """The node with the bug."""

    hearing_type = LenientHearing


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
