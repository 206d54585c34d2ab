"""Planted bug: after a start the Merkle trees are taken for complete before the store has been read.

What is wrong: whoever is asked then has nothing: a seat is handed over empty, and what lies on the disk is known to
nobody. The idea is hazard H15, trees that are used while they are being rebuilt after a restart.
"""

from __future__ import annotations

from typing import Any

from node.core.node import Node
from node.core.trees import Trees
from node.runtime.main import main

SCENARIO = "crash_during_transfer"
CHECKER = "ring"
SEEDS = 3
OPTIONS: dict[str, Any] = {"time_limit_s": 14.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_after_a_crash_a_transfer_goes_on_with_what_lacks",
    "test_who_is_back_while_seats_are_gathered_is_asked_too",
)


class HastyTrees(Trees):
    """Trees that never say that they are not ready."""

    def __init__(self, ends: tuple[int, ...]) -> None:
        super().__init__(ends)
        self.ready = True


class NODE(Node):
    """The node with the bug."""

    trees_type = HastyTrees


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
