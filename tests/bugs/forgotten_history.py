"""Planted bug: a node that starts does not read what it knew of the ring.

What is wrong: it takes itself back to the day when the cluster was founded, and acts on that until somebody tells it
better; when all are started at once nobody can. The idea is hazard H09, a node that believed in a ring of its own after
a crash (riak_core issue 166).
"""

from __future__ import annotations

from typing import Any

from node.core.changes import History
from node.core.node import Node
from node.core.replica import Replica
from node.runtime.main import main

SCENARIO = "seeds_unreachable"
CHECKER = "found"
SEEDS = 2
OPTIONS: dict[str, Any] = {"r": 1, "w": 3, "time_limit_s": 14.0}
CALM: dict[str, Any] = {}
PINNED = ("test_what_was_learnt_is_durable_before_anything_is_said_in_its_name",)


class NewbornReplica(Replica):
    """A replica that knows of no ring."""

    def history(self) -> History:
        """Remember nothing."""
        return History()


class NODE(Node):
    """The node with the bug."""

    replica_type = NewbornReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
