"""Planted bug: a node draws its incarnation once, and keeps it with its data.

What is wrong: an older copy of the disk brings the counters of those days back, under a name that has counted on since.
The idea is hazard H22, a snapshot that is restored or cloned, and H03: one dot then names two writes.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.replica import Replica
from node.core.store import Space
from node.runtime.main import main

NAME = b"incarnation"

SCENARIO = "duplicate_actor_ids"
CHECKER = "dots"
SEEDS = 2
OPTIONS: dict[str, Any] = {}
CALM: dict[str, Any] = {}
PINNED = ("test_every_start_is_another_incarnation",)


class RestoredReplica(Replica):
    """A replica whose incarnation is that of its disk, whatever became of it meanwhile."""

    def open(self, cluster: str) -> str | None:
        """Begin a life under the old name, if there is one."""
        refusal = super().open(cluster)
        kept = self._store.get(Space.META, NAME)
        if kept is None:
            self._stage(Space.META, NAME, self.incarnation.encode())
        else:
            self.incarnation = kept.decode()
        return refusal


class NODE(Node):
    """The node with the bug."""

    replica_type = RestoredReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
