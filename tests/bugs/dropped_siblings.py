"""Planted bug: where two replicas have diverged, the merge keeps one sibling, the one with the largest dot.

What is wrong: concurrent writes are settled by whoever has the larger name, and an acknowledged one is gone. The idea
is last-writer-wins where siblings were promised: hazard H12, Riak's `allow_mult=false`.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.replica import Replica
from node.core.versions import Versions, merge
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "kept-writes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
# Several clients write concurrently without any fault; one client alone does not.
CALM: dict[str, Any] = {"concurrency": 1}
PINNED = (
    "test_siblings_come_together_under_one_context_that_replaces_them_all",
    "test_only_the_primaries_that_are_behind_are_repaired_with_the_merged_set",
    "test_a_fallback_that_coordinates_twice_around_a_handoff_loses_nothing",
)


class LossyReplica(Replica):
    """A replica that settles what it should keep."""

    def merged(self, one: Versions, two: Versions) -> Versions:
        """Merge; where neither side has seen all of the other, keep the last sibling only."""
        united = merge(one, two)
        if united.clock in (one.clock, two.clock):
            return united
        return Versions(united.clock, united.siblings[-1:])


class NODE(Node):
    """The node with the bug."""

    replica_type = LossyReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
