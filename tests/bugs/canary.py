"""Planted bug: puts are acknowledged, all under one name, and nothing is stored.

What is wrong: everything. It must fail in every run, in every scenario, with faults or without, at every seed, also
where so much is broken that only safety is judged; a run that is valid with it has not been judged. So it is exempt
from being valid in calm. The idea is hazard H23: a detector that has never fired proves nothing.
"""

from __future__ import annotations

from typing import Any

from node.core.clocks import Actor, Clock, Dot
from node.core.node import Node
from node.core.replica import Replica
from node.core.versions import NOTHING, Versions, write
from node.runtime.main import main

SCENARIO = "calm"
CHECKER = "dots"
SEEDS = 1
OPTIONS: dict[str, Any] = {}


class VoidReplica(Replica):
    """A replica that keeps nothing."""

    def merge(self, key: bytes, versions: Versions, hint_for: str | None = None) -> None:
        """Take it, and let it go."""

    def write(self, key: bytes, context: Clock, value: bytes, hint_for: str | None = None) -> tuple[Dot, Versions]:
        """Name the write like every other, and let it go."""
        dot = Dot(Actor(self._node, self.incarnation, 0), 1)
        return dot, write(NOTHING, context, dot, value)


class NODE(Node):
    """The node with the bug."""

    replica_type = VoidReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
