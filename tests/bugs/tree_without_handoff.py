"""Planted bug: what a node is given with a seat is stored, and its Merkle trees are not told.

What is wrong: the trees are what says which keys there are. What they do not know is compared with nobody, and stays
behind when the seat passes on again. The idea is hazard H15, a tree that is updated on some of the ways in only.
"""

from __future__ import annotations

from typing import Any

from node.core.hearing import Hearing
from node.core.messages import Batch, PeerMessage
from node.core.node import Node
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "leave_rejoin_under_load"
CHECKER = "ring"
SEEDS = 2
OPTIONS: dict[str, Any] = {"keys": 40, "rate": 50.0, "time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_seat_is_offered_first_and_every_key_is_sent_once",
    "test_after_a_crash_a_transfer_goes_on_with_what_lacks",
    "test_a_node_gives_and_takes_at_once",
)


class DeafHearing(Hearing):
    """A hearing that stores batches beside the trees."""

    def heard(self, source: str, message: PeerMessage, ring: str) -> None:
        """Tell the node whether it is being given a batch."""
        assert isinstance(self._node, NODE)
        self._node.is_given = type(message) is Batch
        super().heard(source, message, ring)
        self._node.is_given = False


class NODE(Node):
    """The node with the bug."""

    hearing_type = DeafHearing
    is_given = False

    def _changed(self, key: bytes, versions: Versions | None) -> None:
        if not self.is_given:
            super()._changed(key, versions)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
