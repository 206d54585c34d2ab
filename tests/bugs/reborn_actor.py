"""Planted bug: a node whose disk was lost comes back as the same actor and counts from one again.

What is wrong: its new writes carry dots that other replicas have seen, and they drop them as known. The idea is
hazards H03 and H22: riak_kv issue 679, a coordinator that lost its copy and its clock.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.replica import Replica
from node.runtime.main import main

SCENARIO = "crash-wipe"
CHECKER = "dots"
SEEDS = 8
OPTIONS: dict[str, Any] = {
    "n": 2,
    "r": 1,
    "w": 2,
    "keys": 3,
    "rate": 200.0,
    "every_s": 3.0,
    "for_s": 1.0,
    "time_limit_s": 10.0,
}
CALM: dict[str, Any] = {}
PINNED = ("test_every_start_is_another_incarnation",)


class RebornReplica(Replica):
    """A replica with one incarnation for ever, and epochs that begin again with the disk."""

    def new_incarnation(self) -> str:
        """Always the same."""
        return "0" * 10


class NODE(Node):
    """The node with the bug."""

    replica_type = RebornReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
