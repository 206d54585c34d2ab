"""Planted bug: what a node keeps of a partition that it has no seat in is deleted, whether or not others have it.

What is wrong: who was taken for dead may come back with the only copy of a write, and throws it away.
The idea is hazard H10: an old owner deletes only what all new ones are known to have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.core.conversations import Kind, Sleep
from node.core.node import Node
from node.core.seats import Seats
from node.core.transfers import clear, works
from node.runtime.main import main

if TYPE_CHECKING:
    from node.core.ring import Place

SCENARIO = "down_node_blocks_transition"
CHECKER = "kept-writes"
SEEDS = 2
OPTIONS: dict[str, Any] = {"n": 1, "r": 1, "w": 1}
CALM: dict[str, Any] = {}
PINNED = (
    "test_nothing_is_deleted_before_everybody_who_sits_there_has_it",
    "test_what_strayed_is_brought_home_and_then_deleted",
    "test_what_changes_while_it_is_brought_home_is_not_deleted",
)


async def move_and_sweep(node: Node) -> None:
    """Do whatever is to be moved by this node, and delete what is left."""
    while due := works(node):
        for work, place in due:
            if work is clear:
                _sweep(node, place)
            else:
                await work(node, place)
        await Sleep(node.config.hint_retry_ms * 1_000_000)
    node.seats.moved()


def _sweep(node: Node, place: Place) -> None:
    for key in node.trees.keys_of(place.end):
        node.replica.drop(key)


class TidySeats(Seats):
    """Seats that are left empty."""

    def see_to_moves(self) -> None:
        """See to it that somebody is at them."""
        if not self._moving and works(self._node):
            self._moving = True
            self._node.conversations.begin(Kind.BACKGROUND, move_and_sweep(self._node))


class NODE(Node):
    """The node with the bug."""

    seats_type = TidySeats


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
