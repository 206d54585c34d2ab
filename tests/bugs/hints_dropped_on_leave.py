"""Planted bug: a node that is ordered out of the ring forgets the hints that it holds.

What is wrong: what it kept for a node that is away is not its own to throw away; the writes that it stood in for never
arrive. The idea is hazard H07: a decommission must move its hints (Cassandra's hintedhandoff_decom).
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.runtime.main import main

SCENARIO = "hints_survive_decommission"
CHECKER = "kept-writes"
SEEDS = 2
OPTIONS: dict[str, Any] = {"n": 1, "r": 1, "w": 1, "time_limit_s": 12.0}
CALM: dict[str, Any] = {}
PINNED = ("test_who_leaves_hands_its_hints_over",)


class NODE(Node):
    """The node with the bug."""

    def _follow_the_ring(self) -> None:
        super()._follow_the_ring()
        if self.ring.is_member(self.id):
            return
        held = [(target, key) for target, keys in self.replica.hints.items() for key in keys]
        for target, key in held:
            self.replica.forget_hint(target, key, self.replica.hinted(target, key))


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
