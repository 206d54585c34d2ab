"""Planted bug: a replica that is sent versions stores them in place of what it has.

What is wrong: what arrives last wins, so a hint or a repair that has not seen a write takes it away. Each copy is
consistent in itself; together they have lost a sibling. The idea is hazard H13: what arrives must be merged at the
target, and never overwrite.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.replica import FORMAT, Record, Replica
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "partition-bridge"
CHECKER = "kept-writes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
CALM: dict[str, Any] = {"concurrency": 1}
PINNED = ("test_a_fallback_that_coordinates_twice_around_a_handoff_loses_nothing",)


class OverwritingReplica(Replica):
    """A replica that takes others at their word."""

    def merge(self, key: bytes, versions: Versions, hint_for: str | None = None) -> None:
        """Replace what is there."""
        space, name = self._place(key, hint_for)
        record = self._read(space, name)
        epoch = self.new_epoch() if record is None else record.epoch
        self._save(space, name, Record(FORMAT, epoch, versions))
        self._index(key, hint_for)


class NODE(Node):
    """The node with the bug."""

    replica_type = OverwritingReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
