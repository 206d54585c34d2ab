"""Planted bug: a fallback forgets whom it stands in for, and stores what it is given as if it were a replica itself.

What is wrong: there is no hint, so nobody delivers; the copy lies on a node that no reader asks once the primaries are
back. All primaries agree and nothing is left to do, yet an acknowledged write is out of reach. The idea is hazard H07
without its hint: fallback data that nobody knows to be fallback data.
"""

from __future__ import annotations

from typing import Any

from node.core.clocks import Clock, Dot
from node.core.node import Node
from node.core.replica import Replica
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "kept-writes"
SEEDS = 2
OPTIONS: dict[str, Any] = {}
CALM: dict[str, Any] = {}
PINNED: tuple[str, ...] = ()


class StrayReplica(Replica):
    """A replica that keeps everything as its own."""

    def merge(self, key: bytes, versions: Versions, hint_for: str | None = None) -> None:
        """Merge into its own data, whomever it is for."""
        super().merge(key, versions)

    def write(self, key: bytes, context: Clock, value: bytes, hint_for: str | None = None) -> tuple[Dot, Versions]:
        """Write into its own data, whomever it is for."""
        return super().write(key, context, value)


class NODE(Node):
    """The node with the bug."""

    replica_type = StrayReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
