"""Planted bug: a node that is ordered out of the ring deletes what it keeps, at once.

What is wrong: nobody has it yet. Whoever takes its seats is given nothing, and what nobody else kept is lost. The idea
is hazard H10: the old owner deletes before the new one confirms.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.runtime.main import main

SCENARIO = "leave_rejoin_under_load"
CHECKER = "kept-writes"
SEEDS = 2
OPTIONS: dict[str, Any] = {"n": 1, "r": 1, "w": 1, "keys": 40, "rate": 50.0, "time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_ring_changes_and_every_key_follows",
    "test_a_node_gives_and_takes_at_once",
)


class NODE(Node):
    """The node with the bug."""

    def _follow_the_ring(self) -> None:
        super()._follow_the_ring()
        if not self.ring.is_member(self.id):
            for end in self.trees.partitions_held():
                for key in self.trees.keys_of(end):
                    self.replica.drop(key)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
