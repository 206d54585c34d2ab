"""Planted bug: event numbers are counted in memory, and begin again with the process.

What is wrong: after a crash the node is a new actor, and may count from one; after a clean shutdown it is the old
one, and names new writes by old dots. The idea is hazard H03, the family of riak_kv issue 679: its counters are leased
in blocks that outlive a restart for that reason.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from node.core.clocks import Actor, Clock, Dot
from node.core.node import Node
from node.core.replica import FORMAT, Record, Replica
from node.core.store import Store
from node.core.versions import NOTHING, Versions, write
from node.runtime.main import main

SCENARIO = "crash-restart"
CHECKER = "dots"
SEEDS = 3
OPTIONS: dict[str, Any] = {}
CALM: dict[str, Any] = {}
PINNED = ("test_a_node_that_left_in_good_order_goes_on_counting",)


class CountingReplica(Replica):
    """A replica with one counter for all of its keys, in memory."""

    def __init__(self, node: str, store: Store, rng: Random, staged: Callable[[], None]) -> None:
        super().__init__(node, store, rng, staged)
        self._counter = 0

    def write(self, key: bytes, context: Clock, value: bytes, hint_for: str | None = None) -> tuple[Dot, Versions]:
        """Write under the next number of this process."""
        space, name = self._place(key, hint_for)
        record = self._read(space, name) or Record(FORMAT, self.new_epoch(), NOTHING)
        self._counter += 1
        dot = Dot(Actor(self._node, self.incarnation, 1), self._counter)
        versions = write(record.versions, context, dot, value)
        self._save(space, name, Record(FORMAT, record.epoch, versions))
        self._index(key, hint_for)
        return dot, versions


class NODE(Node):
    """The node with the bug."""

    replica_type = CountingReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
