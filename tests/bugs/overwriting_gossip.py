"""Planted bug: what a peer tells of the ring takes the place of what was known, where it is longer.

What is wrong: of two orders that were given at two nodes at once only one is heard of again, though both were
confirmed. The idea is hazard H09: concurrent joins, where one side's ring simply wins.
"""

from __future__ import annotations

from typing import Any

from node.core.changes import History
from node.core.membership import Membership
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "simultaneous_join"
CHECKER = "ring"
SEEDS = 2
OPTIONS: dict[str, Any] = {"time_limit_s": 11.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_node_gives_and_takes_at_once",
    "test_two_who_know_different_things_agree_after_one_exchange",
    "test_two_joins_at_nodes_that_do_not_know_of_each_other_make_one_ring",
    "test_gossip_that_gets_lost_is_made_up_for",
    "test_two_newcomers_hear_of_each_other_through_a_seed",
    "test_who_asks_under_another_ring_is_told_and_both_know_the_same",
)


class OverwrittenMembership(Membership):
    """A membership that believes the one who knows most."""

    def learn(self, other: History) -> bool:
        """Take the other history if it is longer, or as long and greater; keep the own one otherwise."""
        if _rank(self.history) >= _rank(other):
            return False
        self.keep(other)
        self._know(self.follow(other))
        return True


def _rank(history: History) -> tuple[int, int, str]:
    return len(history.changes), sum(switch.version for switch in history.switches), history.digest


class NODE(Node):
    """The node with the bug."""

    membership_type = OverwrittenMembership


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
