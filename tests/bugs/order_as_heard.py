"""Planted bug: changes take effect in the order in which a node has heard of them.

What is wrong: of two orders that are given at once every node hears one first, and not every node the same; those who
know the same changes have different rings, for ever. The idea is hazard H09: whose ring it is was decided by who told
whom (riak_core issue 855), where it must follow from the set of changes alone.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Any

from node.core.changes import History
from node.core.membership import Membership
from node.core.node import Node
from node.core.ring import Ring
from node.runtime.main import main

SCENARIO = "simultaneous_join"
CHECKER = "ring"
SEEDS = 2
OPTIONS: dict[str, Any] = {"rate": 20.0, "time_limit_s": 11.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_two_joins_at_nodes_that_do_not_know_of_each_other_make_one_ring",
    "test_two_newcomers_hear_of_each_other_through_a_seed",
)


@dataclass
class HearsayMembership(Membership):
    """A membership that remembers when it has `heard` of which change."""

    heard: dict[str, int] = field(default_factory=dict)

    def follow(self, history: History) -> Ring:
        """Let the changes take effect in that order."""
        for change in history.changes:
            self.heard.setdefault(change.id, len(self.heard))
        changes = sorted(history.changes, key=lambda change: self.heard[change.id])
        ring = copy(super().follow(History(tuple(changes), history.switches)))
        ring.history, ring.digest = history, history.digest
        return ring


class NODE(Node):
    """The node with the bug."""

    membership_type = HearsayMembership


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
