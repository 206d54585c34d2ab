"""Planted bug: event numbers are counted in memory, and begin again with the process.

What is wrong: the actor is kept with the disk and its counter is not, so that after a restart it names new writes by
old dots. The idea is hazard H03, the family of riak_kv issue 679: its counters are leased in blocks that outlive a
restart for that reason.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from node.core.clocks import Actor, Clock, Dot
from node.core.node import Node
from node.core.replica import FORMAT, Record, Replica
from node.core.store import Space, Store
from node.core.versions import NOTHING, Versions, write
from node.runtime.main import main

SCENARIO = "crash-restart"
CHECKER = "dots"
SEEDS = 3
OPTIONS: dict[str, Any] = {}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_node_that_left_in_good_order_goes_on_counting",
    "test_every_start_is_another_incarnation",
)


Changed = Callable[[bytes, Versions | None], None]


class CountingReplica(Replica):
    """A replica with one counter for all of its keys, in memory, and one incarnation for each disk."""

    def __init__(self, node: str, store: Store, rng: Random, staged: Callable[[], None], changed: Changed) -> None:
        super().__init__(node, store, rng, staged, changed)
        self._counter = 0

    def new_incarnation(self) -> str:
        """The name that was drawn when the disk was empty."""
        kept = self._store.get(Space.META, b"incarnation")
        if kept is not None:
            return kept.decode()
        name = super().new_incarnation()
        self._stage(Space.META, b"incarnation", name.encode())
        return name

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
