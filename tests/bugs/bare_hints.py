"""Planted bug: a hint keeps the values that are alive, and not what they have replaced.

What is wrong: the target cannot tell that its old value was overwritten, and keeps it beside the new one. The idea is
hazards H05 and H06: what a fallback holds must carry its causal history, or the old is back when the primary is.
"""

from __future__ import annotations

from typing import Any

from node.core.clocks import Clock
from node.core.node import Node
from node.core.replica import Replica
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "partition-isolate"
CHECKER = "kept-writes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"keys": 200, "time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = ("test_a_hint_brings_what_its_write_has_replaced",)


class BareReplica(Replica):
    """A replica whose hints have no past."""

    def hinted(self, target: str, key: bytes) -> Versions:
        """The versions that are kept for another node, as if they had replaced nothing."""
        versions = super().hinted(target, key)
        clock = Clock()
        for sibling in versions.siblings:
            clock = clock.including(sibling.dot)
        return Versions(clock, versions.siblings)


class NODE(Node):
    """The node with the bug."""

    replica_type = BareReplica


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
