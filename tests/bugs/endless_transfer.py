"""Planted bug: whatever is written on a node while it gives a seat away, the whole partition is sent from the start.

What is wrong: what has been confirmed is sent again, over and over, for as long as there is load. The idea is hazard
H09, a range that is sent more than once, and H16, background work that grows with the load.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.seats import Seats
from node.runtime.main import main

SCENARIO = "join_under_load"
CHECKER = "ring"
SEEDS = 2
OPTIONS: dict[str, Any] = {
    "latency_us": 30000.0,
    "latency_sigma": 0.2,
    "rate": 400.0,
    "concurrency": 60,
    "keys": 600,
    "time_limit_s": 15.0,
    "settings": {"partitions": 8},
}
CALM: dict[str, Any] = {}
PINNED = ("test_a_write_during_a_transfer_sends_nothing_else_again",)


class RestartingSeats(Seats):
    """Seats that are given away from the start whenever anything has changed."""

    def changed(self, key: bytes) -> None:
        """Give everything away again, whatever the key."""
        for end, giving in self.giving.items():
            giving.left.update(dict.fromkeys(self._node.trees.keys_of(end)))


class NODE(Node):
    """The node with the bug."""

    seats_type = RestartingSeats


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
