"""Planted bug: after a restart the node does not look for the hints that it had kept.

What is wrong: hints are on the disk and nobody delivers them. The idea is hazard H07, a hint owner that restarts and
never looks at its fallback data (riak_core issue 154).
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.replica import Replica
from node.runtime.main import main

SCENARIO = "crash-partition"
CHECKER = "convergence"
SEEDS = 3
OPTIONS: dict[str, Any] = {"every_s": 2.0, "for_s": 1.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_hints_found_at_a_restart_are_delivered",
    "test_a_draining_node_stages_the_hints_of_its_last_put_before_it_leaves",
)


class ForgetfulReplica(Replica):
    """A replica that begins without hints."""

    def find_hints(self) -> None:
        """Look for nothing."""


class NODE(Node):
    """The node with the bug."""

    replica_type = ForgetfulReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
