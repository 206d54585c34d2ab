"""Planted bug: records have no key epoch, so a fallback mints a dot again after its hint was delivered and deleted.

What is wrong: it coordinates v1 as (D, i, 1), delivers it, forgets it, and coordinates v2 as (D, i, 1) too; replicas
that have v1 drop v2 as known. No disk and no process need to fail. The idea is riak_kv's kv679 family (hazard H03,
fallbacks).

With N = 1 there is no replica that could bring back what was dropped.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.replica import Replica
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "dots"
SEEDS = 3
OPTIONS: dict[str, Any] = {"n": 1, "r": 1, "w": 1, "keys": 20, "every_s": 2.0, "for_s": 1.0}
CALM: dict[str, Any] = {}
PINNED = ("test_a_fallback_that_coordinates_twice_around_a_handoff_loses_nothing",)


class EpochlessReplica(Replica):
    """A replica whose records all have the same epoch."""

    def new_epoch(self) -> int:
        """Always the same."""
        return 1


class NODE(Node):
    """The node with the bug."""

    replica_type = EpochlessReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
