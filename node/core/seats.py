"""Keep track of the seats that this node gives away, and see to it that somebody is at it.

This file knows which moves are this node's. How a seat is handed over is told in `node.core.transfers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.core.changes import Move
from node.core.conversations import Kind
from node.core.transfers import Giving, move_seats, works

if TYPE_CHECKING:
    from node.core.node import Node


class Seats:
    """The seats of one node on their way: those that it is `giving` now, by partition, and all that it has `given`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._moving = False
        self.giving: dict[int, Giving] = {}
        self.given: list[Giving] = []

    def see_to_moves(self) -> None:
        """See to it that somebody is at the seats that this node has to move."""
        if not self._moving and works(self._node):
            self._moving = True
            self._node.conversations.begin(Kind.BACKGROUND, move_seats(self._node))

    def moved(self) -> None:
        """There is nothing left to move."""
        self._moving = False

    def pass_on(self, giving: Giving) -> bool:
        """A seat is taken, with all that was kept here; False when there is something left, or it is no longer due."""
        if not self._node.ring.due(giving.move) or giving.left:
            return False
        giving.state = "done"
        self.given.append(giving)
        self._node.learn(self._node.membership.switched(giving.move))
        return True

    def take_over(self, move: Move) -> bool:
        """The seat of a node that is gone is taken; False when that is no longer due, or the node is back."""
        if not self._node.ring.due(move) or move.giver not in self._node.ring.down:
            return False
        self._node.learn(self._node.membership.switched(move))
        return True

    def shared(self) -> list[tuple[int, str]]:
        """The end of each partition that this node sits in, with each other node that does."""
        me = self._node.id
        places = [place for place in self._node.ring.places if me in place.seats]
        return [(place.end, peer) for place in places for peer in place.seats if peer != me]

    def changed(self, key: bytes) -> None:
        """What is kept of a key has changed, and has to be given away again."""
        if self.giving:
            giving = self.giving.get(self._node.ring.at(key).end)
            if giving is not None:
                giving.left[key] = None
