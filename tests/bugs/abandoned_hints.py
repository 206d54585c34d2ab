"""Planted bug: a node that leaves deletes the hints that it has not delivered.

What is wrong: it leaves in good order, and takes the only copy of somebody's write with it. The idea is hazard H07: a
node that is decommissioned must move its hints, not drop them.

With N = 1 a hint is the only copy there is while its target is away.
"""

from __future__ import annotations

from typing import Any

from node.core.conversations import Kind
from node.core.facts import Command
from node.core.node import Node
from node.runtime.main import main

SCENARIO = "crash-restart"
CHECKER = "kept-writes"
SEEDS = 3
OPTIONS: dict[str, Any] = {"n": 1, "r": 1, "w": 1, "rate": 200.0, "every_s": 1.5, "for_s": 1.0}
CALM: dict[str, Any] = {}
PINNED = ("test_a_draining_node_stages_the_hints_of_its_last_put_before_it_leaves",)


class NODE(Node):
    """The node with the bug."""

    def _finish(self) -> list[Command]:
        if self._draining and not self._left and not self.conversations.open[Kind.REQUEST]:
            for target, keys in list(self.replica.hints.items()):
                for key in list(keys):
                    self.replica.forget_hint(target, key, self.replica.hinted(target, key))
        return super()._finish()


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
