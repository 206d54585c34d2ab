"""Planted bug: a context also covers the hints that the node holds of the key, read or not.

What is wrong: it claims siblings that the client was never shown, and the client's next write erases them: nothing is
worse than a context that claims too much. The idea is hazards H01 and H17: the context of a put is its own dot and the
context given, as dotted version vectors demand.
"""

from __future__ import annotations

from typing import Any

from node.core.clocks import Clock
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "kept-writes"
SEEDS = 6
OPTIONS: dict[str, Any] = {"nodes": 7, "keys": 20, "every_s": 2.0, "for_s": 1.0}
CALM: dict[str, Any] = {}
PINNED = ("test_a_context_does_not_cover_a_hint_that_was_not_read",)


class NODE(Node):
    """The node with the bug."""

    def seal(self, key: bytes, clock: Clock) -> bytes:
        """Make a context for a client, of what it was told and of what lies here for others."""
        for target, keys in self.replica.hints.items():
            if key in keys:
                clock = clock.joined(self.replica.hinted(target, key).clock)
        return super().seal(key, clock)


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
