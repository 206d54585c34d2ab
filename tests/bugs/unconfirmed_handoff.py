"""Planted bug: a hint is sent once, when its time has come, and deleted at once, whatever becomes of the delivery.

What is wrong: sent is not stored. Where a side of a cut holds none of a key's primaries, the hints are all there is of
a write, and they are thrown across the cut. The idea is hazard H08, a hint deleted unsafely, and H07, hints drained too
early (scylladb issue 24980).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from node.core.conversations import Kind, Sleep
from node.core.messages import Replicate
from node.core.node import Node
from node.core.versions import Versions
from node.runtime.main import main

SCENARIO = "partition-halves"
CHECKER = "kept-writes"
SEEDS = 5
OPTIONS: dict[str, Any] = {"time_limit_s": 10.0}
CALM: dict[str, Any] = {}
PINNED = (
    "test_w_not_reached_is_an_indefinite_refusal_and_the_write_is_seen_through",
    "test_hints_beyond_the_quorum_stay_with_the_coordinator_and_do_not_count",
    "test_a_hint_is_delivered_when_its_time_has_come_and_then_deleted",
    "test_a_hint_is_not_deleted_before_the_target_has_it_durably",
    "test_a_hint_that_changed_meanwhile_is_kept_and_delivered_again",
    "test_a_delivery_that_gets_lost_is_tried_again",
    "test_a_window_is_delivered_before_the_next_one_is_begun",
    "test_a_hint_for_who_was_replaced_is_for_who_took_its_place",
    "test_who_leaves_hands_its_hints_over",
)


async def hand_over(node: Node, target: str) -> None:
    """Send every hint for a target, and forget it as soon as it is sent."""
    await Sleep(node.config.hint_retry_ms * 1_000_000)
    calls = node.calls(node.peer_timeout_ns * 2)
    for key in list(node.replica.hints.get(target, ())):
        versions = node.replica.hinted(target, key)
        node.replica.forget_hint(target, key, versions)
        calls.ask(target, partial(_delivery, key=key, versions=versions, remaining_ns=node.peer_timeout_ns))
    while await calls.next() is not None:
        pass
    calls.close()
    node.handed_off(target)


def _delivery(call: int, *, key: bytes, versions: Versions, remaining_ns: int) -> Replicate:
    return Replicate(call, key, versions, None, remaining_ns)


class NODE(Node):
    """The node with the bug."""

    def _hand_off(self) -> None:
        for target in list(self.replica.hints):
            if target not in self._handing_off:
                self._handing_off[target] = None
                self.conversations.begin(Kind.HANDOFF, hand_over(self, target))


if __name__ == "__main__":
    raise SystemExit(main(node_type=NODE))
