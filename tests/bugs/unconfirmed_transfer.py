"""Planted bug: a seat passes on as soon as what is kept there has been sent, before the taker has confirmed any of it.

What is wrong: sent is not stored. Whoever reads the new owner finds nothing of what is still on its way, or was lost
there. The idea is hazard H10: a switch must follow the transfer, and not accompany it (riak_core issues 65 and 78).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from node.core.conversations import Kind, Sleep
from node.core.messages import Batch
from node.core.node import Node
from node.core.seats import Seats
from node.core.transfers import BATCH_KEYS, Giving, batch, give, works
from node.runtime.main import main

if TYPE_CHECKING:
    from node.core.ring import Place

SCENARIO = "join_under_load"
CHECKER = "found"
SEEDS = 2
OPTIONS: dict[str, Any] = {"r": 1, "w": 3, "time_limit_s": 11.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_a_write_during_a_transfer_sends_nothing_else_again",
    "test_a_seat_is_offered_first_and_every_key_is_sent_once",
    "test_writes_during_a_transfer_arrive_at_both",
    "test_what_changes_after_its_batch_is_sent_again",
    "test_after_a_crash_a_transfer_goes_on_with_what_lacks",
    "test_a_transfer_that_ends_early_leaves_nothing_behind",
    "test_a_node_gives_and_takes_at_once",
    "test_the_giver_is_read_until_the_seat_has_passed_on",
    "test_who_knows_less_is_told_and_has_nothing_to_tell",
    "test_what_was_learnt_is_durable_before_anything_is_said_in_its_name",
)


async def hand_over(node: Node) -> None:
    """Do whatever is to be moved by this node; what it gives it only sends."""
    while due := works(node):
        for work, place in due:
            await (_send(node, place) if work is give else work(node, place))
        await Sleep(node.config.hint_retry_ms * 1_000_000)
    node.seats.moved()


async def _send(node: Node, place: Place) -> None:
    """Send all that is kept of a partition, and let its seat pass on."""
    move = place.move
    if move is None or not node.trees.ready or not node.detector.is_up(move.taker):
        return
    await node.background.slice("transfers")
    keys = list(node.trees.keys_of(place.end))
    calls = node.calls(node.peer_timeout_ns)
    for first in range(0, len(keys), BATCH_KEYS):
        calls.ask(move.taker, partial(Batch, entries=batch(node, keys[first : first + BATCH_KEYS])))
    calls.close()
    node.seats.pass_on(Giving(move))


class TrustingSeats(Seats):
    """Seats that pass on unseen."""

    def see_to_moves(self) -> None:
        """See to it that somebody is at them."""
        if not self._moving and works(self._node):
            self._moving = True
            self._node.conversations.begin(Kind.BACKGROUND, hand_over(self._node))


class NODE(Node):
    """The node with the bug."""

    seats_type = TrustingSeats


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
